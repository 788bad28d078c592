//! Pages for what cannot be shown: in plain Chinese, without anything of the inside.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use crate::web::parts::Head;

/// Why there is no page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    NotFound,
    NoSuchRegister,
    NoSuchBatch,
    Method,
    OtherHost,
    /// The log says more.
    Internal,
}

impl Trouble {
    const fn words(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::NotFound => {
                (StatusCode::NOT_FOUND, "没有这个页面", "请检查地址，或从代发总览重新进入。")
            }
            Self::NoSuchRegister => (
                StatusCode::NOT_FOUND,
                "没有这份清册",
                "编号可能有误，或清册还在接收中；接收完整并核对后才会显示。",
            ),
            Self::NoSuchBatch => {
                (StatusCode::NOT_FOUND, "没有这个批次", "编号可能有误，请从所属清册的页面进入。")
            }
            Self::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "这里只能查看",
                "状态页不接受提交。放行、撤下、重新组批等操作请使用命令行。",
            ),
            Self::OtherHost => (
                StatusCode::FORBIDDEN,
                "只能在本机查看",
                "请在本机浏览器中用 127.0.0.1 或 localhost 打开状态页。",
            ),
            Self::Internal => (
                StatusCode::INTERNAL_SERVER_ERROR,
                "页面暂时打不开",
                "读取数据时出错，资金记录没有因此改变。请稍后刷新；如一直打不开，请联系银行技术人员查看日志。",
            ),
        }
    }
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct Page {
    head: Head,
    title: &'static str,
    text: &'static str,
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let (status, title, text) = self.words();
        let head = Head { title: title.to_owned(), now: String::new(), refresh_s: None };
        let page = Page { head, title, text };
        // Should even this page not come out, its words still do.
        page.render().map_or_else(
            |_| (status, text).into_response(),
            |page| (status, Html(page)).into_response(),
        )
    }
}
