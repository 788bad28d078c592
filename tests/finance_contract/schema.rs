//! The part of `OpenAPI` 3.1 and JSON Schema that the file uses. A keyword that is not known here
//! stops the test: nothing in the file goes unchecked.

use regex::Regex;
use serde_json::{Map, Value};

use crate::proxy::Exchange;

pub struct Contract {
    root: Value,
    operations: Vec<Operation>,
}

pub struct Operation {
    pub id: String,
    method: String,
    path: String,
    body: Value,
}

impl Operation {
    pub fn statuses(&self) -> Vec<u16> {
        let responses = self.body["responses"].as_object().expect("responses");
        responses.keys().map(|status| status.parse().expect("a status")).collect()
    }

    /// The values of the path's parameters, where `path` is one of this operation.
    fn segments<'a>(&'a self, path: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        let (pattern, given) = (self.path.split('/'), path.split('/'));
        if pattern.clone().count() != given.clone().count() {
            return None;
        }
        let mut values = Vec::new();
        for (pattern, given) in pattern.zip(given) {
            match pattern.strip_prefix('{').and_then(|p| p.strip_suffix('}')) {
                Some(name) => values.push((name, given)),
                None if pattern == given => {}
                None => return None,
            }
        }
        Some(values)
    }
}

impl Contract {
    pub fn load() -> Self {
        let text = include_str!("../../src/finance/openapi.yaml");
        let root: Value = serde_saphyr::from_str(text).expect("the file is YAML");
        assert_eq!(root["openapi"], "3.1.0");
        let mut operations = Vec::new();
        for (path, item) in root["paths"].as_object().expect("paths") {
            for (method, body) in item.as_object().expect("operations") {
                operations.push(Operation {
                    id: body["operationId"].as_str().expect("operationId").to_owned(),
                    method: method.to_uppercase(),
                    path: path.clone(),
                    body: body.clone(),
                });
            }
        }
        Self { root, operations }
    }

    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    pub fn schemas(&self) -> &Map<String, Value> {
        self.root["components"]["schemas"].as_object().expect("schemas")
    }

    pub fn schema(&self, name: &str) -> &Value {
        &self.schemas()[name]
    }

    pub fn find(&self, method: &str, path: &str) -> &Operation {
        let fits = |o: &&Operation| o.method == method && o.segments(path).is_some();
        self.operations.iter().find(fits).unwrap_or_else(|| panic!("{method} {path} is not there"))
    }

    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let Some(reference) = value["$ref"].as_str() else { return value };
        assert_eq!(value.as_object().map(Map::len), Some(1), "{reference} stands alone");
        let pointer = reference.strip_prefix('#').expect("a reference into this file");
        self.resolve(self.root.pointer(pointer).unwrap_or_else(|| panic!("{reference}")))
    }

    pub fn response_schema(&self, operation: &Operation, status: u16) -> &Value {
        let found = self.operations.iter().find(|o| o.id == operation.id).expect("operation");
        let response = self.resolve(&found.body["responses"][status.to_string()]);
        let content = response["content"].as_object().expect("content");
        &content.values().next().expect("a type")["schema"]
    }

    pub fn check_request(&self, operation: &Operation, exchange: &Exchange) -> Result<(), String> {
        let path = operation.segments(&exchange.path).unwrap_or_default();
        let mut query: Vec<(&str, &str)> =
            exchange.query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        for parameter in operation.body["parameters"].as_array().expect("parameters") {
            let parameter = self.resolve(parameter);
            let name = parameter["name"].as_str().expect("name");
            let value = match parameter["in"].as_str() {
                Some("path") => path.iter().find(|(n, _)| *n == name).map(|(_, v)| *v),
                Some("query") => {
                    let at = query.iter().position(|(n, _)| *n == name);
                    at.map(|at| query.remove(at).1)
                }
                Some("header") => exchange.request_header(name),
                other => panic!("{other:?}"),
            };
            match value {
                Some(value) => self.validate(&parameter["schema"], &Value::from(value))?,
                None if parameter["required"] == true => return Err(format!("{name} is missing")),
                None => {}
            }
        }
        if !query.is_empty() {
            return Err(format!("unknown parameters {query:?}"));
        }
        match operation.body.get("requestBody") {
            Some(_) if exchange.status == 422 => Ok(()),
            Some(_) => self.check_report(operation, &exchange.request),
            None if exchange.request.is_empty() => Ok(()),
            None => Err("a body where none is described".to_owned()),
        }
    }

    /// The body of a report: its head, then rows of the kind that the head says.
    pub fn check_report(&self, operation: &Operation, body: &[u8]) -> Result<(), String> {
        let content = &operation.body["requestBody"]["content"]["application/x-ndjson"];
        let lines = body.strip_suffix(b"\n").ok_or("no line end")?.split(|b| *b == b'\n');
        let mut rows: Option<Value> = None;
        for (at, line) in lines.enumerate() {
            let value: Value = serde_json::from_slice(line).map_err(|e| e.to_string())?;
            let schema = match &rows {
                None => &content["schema"],
                Some(rows) if rows.is_object() => rows,
                Some(_) => return Err("rows where none are described".to_owned()),
            };
            self.validate(schema, &value).map_err(|error| format!("line {at}: {error}"))?;
            if at == 0 {
                rows = Some(content["x-rows"][value["kind"].as_str().unwrap_or_default()].clone());
            }
        }
        Ok(())
    }

    pub fn check_response(&self, operation: &Operation, exchange: &Exchange) -> Result<(), String> {
        let response = self.resolve(&operation.body["responses"][exchange.status.to_string()]);
        for (name, header) in response["headers"].as_object().ok_or("not described")? {
            let header = self.resolve(header);
            let value = exchange.response_header(name).ok_or(format!("{name} is missing"))?;
            self.validate(&header["schema"], &Value::from(value))?;
        }
        let (kind, content) =
            response["content"].as_object().and_then(|c| c.iter().next()).ok_or("no content")?;
        if exchange.response_header("content-type") != Some(kind) {
            return Err(format!("it is not {kind}"));
        }
        if kind != "application/x-ndjson" {
            let value = serde_json::from_slice(&exchange.response).map_err(|e| e.to_string())?;
            return self.validate(&content["schema"], &value);
        }
        let lines = exchange.response.strip_suffix(b"\n").ok_or("no line end")?;
        for line in lines.split(|b| *b == b'\n') {
            let value = serde_json::from_slice(line).map_err(|e| e.to_string())?;
            self.validate(&content["schema"], &value)?;
        }
        Ok(())
    }

    /// Is `value` what `schema` says?
    pub fn validate(&self, schema: &Value, value: &Value) -> Result<(), String> {
        let schema = self.resolve(schema).as_object().expect("a schema is an object");
        for (keyword, rule) in schema {
            let holds = match keyword.as_str() {
                "description" => true,
                "type" => has_type(rule, value),
                "enum" => rule.as_array().is_some_and(|words| words.contains(value)),
                "const" => rule == value,
                "pattern" => value.as_str().is_none_or(|text| {
                    Regex::new(rule.as_str().expect("a pattern")).expect("a pattern").is_match(text)
                }),
                "minLength" => value.as_str().is_none_or(|t| Some(t.len() as u64) >= rule.as_u64()),
                "maxLength" => value.as_str().is_none_or(|t| Some(t.len() as u64) <= rule.as_u64()),
                "minimum" => value.as_i64().is_none_or(|number| Some(number) >= rule.as_i64()),
                "required" => value.as_object().is_none_or(|fields| {
                    let names = rule.as_array().expect("names").iter().filter_map(Value::as_str);
                    names.into_iter().all(|name| fields.contains_key(name))
                }),
                "additionalProperties" => value.as_object().is_none_or(|fields| {
                    let known = schema["properties"].as_object().expect("properties");
                    rule == false && fields.keys().all(|name| known.contains_key(name))
                }),
                "properties" => {
                    for (name, of) in rule.as_object().expect("properties") {
                        if let Some(field) = value.get(name) {
                            self.validate(of, field).map_err(|error| format!("{name}: {error}"))?;
                        }
                    }
                    true
                }
                "items" => {
                    for item in value.as_array().into_iter().flatten() {
                        self.validate(rule, item)?;
                    }
                    true
                }
                "oneOf" => {
                    let one = |of: &&Value| self.validate(of, value).is_ok();
                    rule.as_array().expect("schemas").iter().filter(one).count() == 1
                }
                other => panic!("the file uses {other}, which this test does not know"),
            };
            if !holds {
                return Err(format!("{keyword} {rule} does not hold"));
            }
        }
        Ok(())
    }
}

fn has_type(rule: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        other => panic!("type {other:?}"),
    };
    rule.as_array().map_or_else(|| is(rule), |names| names.iter().any(is))
}
