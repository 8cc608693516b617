"""Two family admins agree to reset the password of another admin, who can cancel it."""

from pydantic import BaseModel

from famichat.actions.accounts import reset_agreements
from famichat.actions.events.payloads import ResetAgreementView, reset_agreement_view
from famichat.endpoint.http.context import Caller, InContext
from famichat.endpoint.http.strict_route import api_router

router = api_router("", "families")


class ResetAgreementsView(BaseModel):
    """What the admins of a family have asked for, the oldest first."""

    agreements: list[ResetAgreementView]


@router.get("/families/{family_id}/reset-agreements", summary="List requests to reset an admin's password")
async def agreements(family_id: str, caller: Caller, context: InContext) -> ResetAgreementsView:
    """List the requests that have not expired, for the admins of a family.

    Raises:
        NotFound: the caller is not a member of the family.
        NotAdmin: the caller is not an admin.
    """
    found = await reset_agreements.list_reset_agreements(context, caller, family_id)
    return ResetAgreementsView(agreements=[reset_agreement_view(each) for each in found])


@router.put(
    "/families/{family_id}/members/{user_id}/reset-agreement", summary="Ask to reset the password of another admin"
)
async def ask(family_id: str, user_id: str, caller: Caller, context: InContext) -> ResetAgreementView:
    """Ask the other admins of a family to agree. The user and all admins receive an event, and the history records it.

    When a second admin has agreed, `PUT /families/{family_id}/members/{user_id}/reset-link` gives the caller a link.
    If another admin has asked already, that request stays, and the response is about it.

    Raises:
        NotFound: the caller or the user is not a member of the family.
        NotAdmin: the caller is not an admin.
        OwnAccount: the caller and the user are the same.
        NeedsOperator: the user belongs to another family, or fewer than two others have been admins for a week.
        NewAdmin: the caller has not been an admin for a week.
    """
    return reset_agreement_view(await reset_agreements.ask_for_reset(context, caller, family_id, user_id))


@router.put(
    "/families/{family_id}/members/{user_id}/reset-agreement/consent",
    summary="Agree to reset the password of another admin",
)
async def agree(family_id: str, user_id: str, caller: Caller, context: InContext) -> ResetAgreementView:
    """Agree as a second admin to what another one asked for within an hour.

    Raises:
        NotFound: the caller or the user is not a member of the family.
        NotAdmin: the caller is not an admin.
        OwnAccount: the caller and the user are the same.
        NeedsOperator: the user belongs to another family, or fewer than two others have been admins for a week.
        NewAdmin: the caller has not been an admin for a week.
        NoResetAgreement: no one has asked within an hour, or it was cancelled.
        NeedsSecondAdmin: the caller is the admin who asked.
    """
    return reset_agreement_view(await reset_agreements.agree_to_reset(context, caller, family_id, user_id))


@router.delete(
    "/families/{family_id}/members/{user_id}/reset-agreement",
    status_code=204,
    summary="Refuse or withdraw a request to reset an admin's password",
)
async def cancel(family_id: str, user_id: str, caller: Caller, context: InContext) -> None:
    """Refuse a request, or withdraw the own one, as an admin.

    Raises:
        NotFound: the caller or the user is not a member of the family.
        NotAdmin: the caller is not an admin.
        NoResetAgreement: there is none.
    """
    await reset_agreements.cancel_reset_agreement(context, caller, family_id, user_id)


@router.delete("/me/password-reset", status_code=204, summary="Cancel a reset of my password")
async def cancel_own(caller: Caller, context: InContext) -> None:
    """Cancel what admins asked for the caller's account, and make a link that exists invalid.

    The admin who asked or created the link reads it in the account history.
    """
    await reset_agreements.cancel_own_reset(context, caller)
