//! Intake: takes one register that finance approved, checks it while it streams, and accepts or
//! refuses it. Which one is next is for [`crate::flow::feed`] to say.

use crate::finance::{Faulty, Finance, FinanceError, Listed, RegisterEvent};
use crate::flow::receipts::{Receipt, receipts};
use crate::flow::receiving::{TakeError, stream_in};
use crate::flow::{Ctx, FlowError};
use crate::guard::digest::ContentDigest;
use crate::model::id::RegisterNo;
use crate::model::register::{Fault, RegisterHead};
use crate::store::intake::Begun;

/// Reads a head. Funding that still lies ahead has not happened: it is read again until it has, so
/// that nothing is sent because a clock says that its time has come (I16).
pub(super) async fn read_head(
    ctx: &Ctx,
    finance: &dyn Finance,
    id: &str,
    revision: i64,
) -> Result<RegisterHead, FinanceError> {
    let mut head = finance.head(id, revision).await?;
    head.funded_at_ms = head.funded_at_ms.filter(|at| *at <= ctx.now_ms());
    Ok(head)
}

/// Takes one entry of the list.
pub(super) async fn take(
    ctx: &Ctx,
    finance: &dyn Finance,
    listed: &Listed,
) -> Result<(), TakeError> {
    if listed.event == RegisterEvent::Revoked {
        let revoked = ctx
            .store
            .revoke_register(finance.source(), &listed.id, listed.revision, ctx.now_ms())
            .await?;
        // What was never read is not waited for any more either.
        let (source, id) = (finance.source(), &listed.id);
        let how = "register.unread_revoked";
        ctx.store.end_unread(source, id, listed.revision, how, ctx.now_ms()).await?;
        tracing::info!(
            register = listed.id,
            revision = listed.revision,
            known = revoked.is_some(),
            "finance revoked a register"
        );
        return Ok(());
    }
    let head = match read_head(ctx, finance, &listed.id, listed.revision).await {
        Ok(head) => head,
        Err(FinanceError::Faulty(faulty)) => return Ok(refuse(ctx, finance, *faulty).await?),
        Err(cause) => return Err(cause.into()),
    };
    let head_digest = ContentDigest::of_head(&head).finish();
    match ctx.store.begin_register(finance.source(), &head, head_digest, ctx.now_ms()).await? {
        Begun::Same(register) => {
            tracing::info!(%register, "the same register was offered again; its answer stands");
            Ok(())
        }
        Begun::Different(register) => Ok(different(ctx, register, &head).await?),
        Begun::Fresh(receiving) => stream_in(ctx, finance, &head, *receiving).await,
    }
}

/// The same identity was here before with other content: finance is told, and nothing changes (I25).
async fn different(ctx: &Ctx, register: RegisterNo, head: &RegisterHead) -> Result<(), FlowError> {
    let what = format!(
        "{} revision {} was here before with other content; send changes as a higher revision",
        head.id, head.revision
    );
    let chinese = "同一编号、同一版本先前已收到，内容却不同。修改请以更高的版本号下达";
    let fault = Fault::new(None, "digest", what, chinese);
    let subject = crate::guard::key::hex(&head.digest);
    let reports = receipts(ctx, register, head, &Receipt::refused(vec![fault]), &subject);
    Ok(ctx.store.add_reports(register, &reports, ctx.now_ms()).await?)
}

/// Refuses a register whose head is none: it is kept under its identity with what could be read, so
/// that finance gets a receipt that says what to mend, and the page shows it.
pub(super) async fn refuse(
    ctx: &Ctx,
    finance: &dyn Finance,
    faulty: Faulty,
) -> Result<(), FlowError> {
    let Faulty { head, faults } = faulty;
    let digest = ContentDigest::of_head(&head).finish();
    match ctx.store.begin_register(finance.source(), &head, digest, ctx.now_ms()).await? {
        Begun::Same(register) => {
            tracing::info!(%register, "the same register was offered again; its answer stands");
            Ok(())
        }
        Begun::Different(register) => different(ctx, register, &head).await,
        Begun::Fresh(receiving) => {
            let register = receiving.register;
            tracing::warn!(%register, faults = faults.len(), "a register has no readable head and is refused");
            let reports = receipts(ctx, register, &head, &Receipt::refused(faults.clone()), "0");
            Ok(ctx.store.refuse_register(register, &faults, &reports, ctx.now_ms()).await?)
        }
    }
}
