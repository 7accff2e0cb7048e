import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from vigie.errors import QuestionError, UnavailableError
from vigie.web.desk import AHEAD, REMEMBERED, Applied, Desk, Journal, Refusal, Reply
from web_fakes import FakeServices


def a_desk(services: FakeServices, annotator: str = "ana", journal: Journal | None = None) -> Desk:
    return Desk(services.labelling, annotator, journal or Journal())


def a_reply(question_id: int, nonce: str = "n1", action: str = "answer", annotator: str = "ana") -> Reply:
    return Reply(nonce, annotator, question_id, action, {"severity": "error"} if action == "answer" else {})


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def test_fill_when_nothing_is_held_then_questions_are_leased_ahead() -> None:
    services = FakeServices()
    desk = a_desk(services)

    asked = run(desk.fill())

    assert len(asked) == AHEAD
    assert list(desk.held) == [one.question.id for one in asked] == list(services.labelling.leased)


def test_fill_when_enough_are_held_then_nothing_more_is_leased() -> None:
    async def work() -> list[Any]:
        await desk.fill()
        return await desk.fill()

    desk = a_desk(FakeServices())

    assert run(work()) == []


def test_fill_when_called_twice_at_once_then_no_more_than_enough_is_leased() -> None:
    async def work() -> None:
        await asyncio.gather(desk.fill(), desk.fill())

    services = FakeServices()
    desk = a_desk(services)
    run(work())

    assert len(services.labelling.leased) == AHEAD


def test_reply_when_the_question_is_held_then_the_answer_is_stored() -> None:
    async def work() -> Refusal | None:
        await desk.fill()
        return await desk.reply(a_reply(1))

    services = FakeServices()
    desk = a_desk(services)

    assert run(work()) is None
    assert services.labelling.given[0][3] == {"severity": "error"}
    assert 1 not in desk.held


@pytest.mark.parametrize(("action", "stored"), [("skip", "skipped"), ("flag", "flagged")])
def test_reply_when_it_is_no_answer_then_that_is_stored(action: str, stored: str) -> None:
    async def work() -> None:
        await desk.fill()
        await desk.reply(a_reply(1, action=action))

    services = FakeServices()
    desk = a_desk(services)
    run(work())

    assert services.labelling.given[0][0] == stored


def test_reply_when_it_comes_twice_then_it_is_stored_once_and_both_are_confirmed() -> None:
    async def work() -> list[Refusal | None]:
        await desk.fill()
        return [await desk.reply(a_reply(1)), await desk.reply(a_reply(1))]

    services = FakeServices()
    desk = a_desk(services)

    assert run(work()) == [None, None]
    assert len(services.labelling.given) == 1


def test_reply_when_two_tabs_send_it_at_once_then_it_is_stored_once() -> None:
    async def work() -> list[Refusal | None]:
        await first.fill()
        return list(await asyncio.gather(first.reply(a_reply(1)), second.reply(a_reply(1))))

    services, journal = FakeServices(), Journal()
    services.labelling.delay = 0.02
    first, second = a_desk(services, journal=journal), a_desk(services, journal=journal)

    assert run(work()) == [None, None]
    assert len(services.labelling.given) == 1


def test_reply_when_the_lease_is_gone_then_the_question_is_gone() -> None:
    async def work() -> Refusal | None:
        await desk.fill()
        services.labelling.leased.clear()
        return await desk.reply(a_reply(1))

    services = FakeServices()
    desk = a_desk(services)
    refusal = run(work())

    assert refusal is not None
    assert refusal.gone
    assert 1 not in desk.held


def test_reply_when_the_store_fails_then_the_question_stays_and_a_new_try_is_stored() -> None:
    async def work() -> list[Refusal | None]:
        await desk.fill()
        services.labelling.broken = UnavailableError("the database is away")
        first = await desk.reply(a_reply(1))
        services.labelling.broken = None
        return [first, await desk.reply(a_reply(1))]

    services = FakeServices()
    desk = a_desk(services)

    assert run(work()) == [Refusal(gone=False, problem="the database is away"), None]
    assert len(services.labelling.given) == 1


def test_undo_when_answers_were_given_then_each_step_takes_back_the_latest() -> None:
    async def work() -> list[int]:
        await desk.fill()
        for name in (1, 2, 3):
            await desk.reply(a_reply(name, f"n{name}"))
        return [(await desk.undo()).asked.question.id for _ in range(3)]

    services = FakeServices()
    desk = a_desk(services)

    assert run(work()) == [3, 2, 1]
    assert services.labelling.given == []
    assert list(desk.held)[:3] == [1, 2, 3]


def test_undo_when_a_reply_is_on_its_way_then_it_waits_for_it() -> None:
    async def work() -> Any:
        await desk.fill()
        _, undone = await asyncio.gather(desk.reply(a_reply(1)), desk.undo())
        return undone

    services = FakeServices()
    services.labelling.delay = 0.02
    desk = a_desk(services)

    assert run(work()).asked.question.id == 1


def test_undo_when_nothing_was_given_then_there_is_nothing() -> None:
    assert run(a_desk(FakeServices()).undo()) is None


def test_release_when_the_page_closes_then_others_get_the_questions() -> None:
    async def work() -> list[Any]:
        await desk.fill()
        await desk.release()
        return await other.fill()

    services = FakeServices()
    desk, other = a_desk(services), a_desk(services, "ben")

    assert [one.question.id for one in run(work())] == [1, 2, 3, 4, 5]
    assert desk.held == {}


def test_two_annotators_when_both_ask_then_no_question_is_given_twice() -> None:
    async def work() -> None:
        await asyncio.gather(first.fill(), second.fill())

    services = FakeServices()
    first, second = a_desk(services), a_desk(services, "ben")
    run(work())

    assert not set(first.held) & set(second.held)


def test_renew_when_questions_are_held_then_their_leases_are_renewed() -> None:
    async def work() -> None:
        await desk.renew()
        await desk.fill()
        await desk.renew()

    services = FakeServices()
    desk = a_desk(services)
    run(work())

    assert services.labelling.renewed == [1, 2, 3, 4, 5]


def test_renew_when_a_question_went_to_someone_else_then_it_is_held_no_more() -> None:
    async def work() -> list[int]:
        await desk.fill()
        services.labelling.leased[2] = ("ben", desk.held[2])
        return await desk.renew()

    services = FakeServices()
    desk = a_desk(services)

    assert run(work()) == [2]
    assert list(desk.held) == [1, 3, 4, 5]


def test_reply_when_it_waited_under_another_name_then_it_is_stored_under_that_name() -> None:
    async def work() -> Refusal | None:
        await old.fill()
        return await new.reply(a_reply(1))

    services, journal = FakeServices(), Journal()
    old, new = a_desk(services, "ana", journal), a_desk(services, "anastasia", journal)

    assert run(work()) is None
    assert services.labelling.given[0][1] == "ana"


def test_journal_when_it_is_full_then_the_oldest_is_forgotten() -> None:
    journal = Journal()
    for n in range(REMEMBERED + 1):
        journal.add(str(n))

    assert "0" not in journal
    assert str(REMEMBERED) in journal


def test_fill_when_the_store_fails_then_the_error_is_raised_and_nothing_is_held() -> None:
    services = FakeServices()
    services.labelling.broken = QuestionError("away")
    desk = a_desk(services)

    with pytest.raises(QuestionError):
        run(desk.fill())
    assert desk.held == {}


def test_reply_when_messages_are_excepted_then_they_are_held_and_gone_with_the_answer() -> None:
    async def work() -> tuple[list[int], list[int], list[int]]:
        await desk.fill()
        await desk.reply(replace(a_reply(1), exceptions=("one", "two")))
        excepted = [asked.question.id for asked in desk.take_excepted()]
        held = [question_id for question_id in desk.held if question_id in excepted]
        assert desk.take_excepted() == []
        await desk.undo()
        return excepted, held, list(desk.held)

    desk = a_desk(FakeServices())
    excepted, held, after = run(work())

    assert excepted == held
    assert len(excepted) == 2
    assert after[0] == 1
    assert not set(excepted) & set(after)


def an_answer(question_id: int, also: list[int], nonce: str = "n1") -> Reply:
    return Reply(nonce, "ana", question_id, "answer", {"severity": "error"}, also=also)


def test_reply_when_groups_take_it_along_then_says_how_many_and_drops_questions_about_them() -> None:
    async def work() -> Any:
        await desk.fill()
        return await desk.reply(an_answer(1, [2, 4, 12, 999]))

    services = FakeServices()
    desk = a_desk(services)

    assert run(work()) == Applied(wanted=4, taken=3, closed=[2, 4])
    assert list(desk.held) == [3, 5]
    assert {one.question.group_id for one in services.labelling.along[1]} == {2, 4, 12}


def test_reply_when_it_comes_again_then_groups_take_it_once() -> None:
    async def work() -> list[Any]:
        await desk.fill()
        return [await desk.reply(an_answer(1, [2])) for _ in range(2)]

    services = FakeServices()
    desk = a_desk(services)

    assert run(work()) == [Applied(1, 1, [2]), None]
    assert services.labelling.n_answers() == 2


def test_similar_when_the_question_is_held_then_returns_groups_else_none() -> None:
    async def work() -> list[Any]:
        await desk.fill()
        return [await desk.similar(1), await desk.similar(17)]

    desk = a_desk(FakeServices())
    found, unknown = run(work())

    assert len(found.groups) > 0
    assert unknown is None


def test_reply_when_it_has_exceptions_and_similar_groups_then_both_are_heard_of() -> None:
    async def work() -> tuple[Any, list[str]]:
        await desk.fill()
        applied = await desk.reply(replace(an_answer(1, [2, 999]), exceptions=("one",)))
        return applied, [asked.text for asked in desk.take_excepted()]

    desk = a_desk(FakeServices())

    assert run(work()) == (Applied(wanted=2, taken=1, closed=[2]), ["one"])
