"""Tools of a factory: production lines, defects, a robot arm."""

from __future__ import annotations

import random

from axk1.corpus.exercise import Side, number
from axk1.corpus.families.tools.skill import Skill, Verb, Wish, lines, spec
from axk1.corpus.korean import Noun
from axk1.corpus.lexicon import choose, compose, integer_keys, words

_LINE_KINDS = words("조립 도장 포장 용접 검사 세척 절단 인쇄")
_LINE_NUMBERS = tuple(str(digit) for digit in range(1, 10))


def _line(rng: random.Random, side: Side) -> Noun:
    """A production line: 조립 2."""
    return compose(rng, side, _LINE_KINDS, _LINE_NUMBERS)


_CONTROL = lines("""
    {line}라인 {v}
    {line}라인을 {v}
    {line}라인 좀 {v}
    {line}라인 지금 {v}
    지금 바로 {line}라인을 {v}
    공장 {line}라인 {v}
    이제 {line}라인을 {v}
""")
_STOP_REASONS = lines("""
    {line}라인에서 소리가 나{y}. 라인을 {v}
    {line}라인에 문제가 생겼어{y}. 라인 {v}
""")
_START_REASONS = lines("""
    {line}라인 점검이 끝났어{y}. 라인을 {v}
    {line}라인 준비가 됐어{y}. 라인 {v}
""")
_STOPS = (Verb("멈춰", "멈추기"), Verb("정지해", "정지하기"), Verb("세워", "세우기"))
_STARTS = (Verb("가동해", "가동하기"), Verb("돌려", "돌리기"), Verb("시작해", "시작하기"))


def _control(rng: random.Random, side: Side) -> Wish:
    line, start = _line(rng, side), rng.random() < 0.5
    verb = rng.choice(_STARTS if start else _STOPS)
    arguments = {"line": str(line), "action": "start" if start else "stop"}
    patterns = _CONTROL + (_START_REASONS if start else _STOP_REASONS)
    return Wish("라인 시작" if start else "라인 정지", verb, patterns, arguments, {"line": line}, (line,))


_SPEED = lines("""
    {line}라인 속도를 {n}퍼센트로 {v}
    {line}라인 속도 {n}퍼센트로 {v}
    {line}라인을 {n}% 속도로 {v}
    {line}라인 속도를 {n}%로 {v}
    {n}퍼센트로 {line}라인 속도를 {v}
    공장 {line}라인 속도를 {n}%로 {v}
    {line}라인이 너무 느려{y}. 속도 {n}%로 {v}
    {line}라인이 너무 빨라{y}. 속도 {n}%로 {v}
""")


def _speed(rng: random.Random, side: Side) -> Wish:
    line, percent = _line(rng, side), number(rng, 10, 99, side)
    arguments = {"line": str(line), "percent": percent}
    words = {"line": line, "n": percent}
    return Wish("라인 속도", Verb("맞춰", "맞추기"), _SPEED, arguments, words, (line, *integer_keys(percent)))


_DEFECTS = words("긁힘 찍힘 균열 변색 누락 기포 얼룩 휨")
_REPORT = lines("""
    {line}라인 {kind} 불량 {n}개 {v}
    {line}라인에서 나온 {kind} 불량 {n}개 {v}
    {line}라인 {kind} 불량을 {n}개로 {v}
    {kind} 불량 {n}개, {line}라인으로 {v}
    {line}라인에서 {kind:이} {n}개 나왔어{y}. 불량으로 {v}
    {line}라인에 {kind} {n}개, 불량으로 {v}
    {line}라인 불량은 {kind} {n}개로 {v}
    {line}라인 불량 {kind} {n}개 {v}
""")


def _report(rng: random.Random, side: Side) -> Wish:
    line, kind, count = _line(rng, side), choose(rng, _DEFECTS), number(rng, 1, 60, side)
    verb = Verb("등록해", "등록하기") if rng.random() < 0.5 else Verb("기록해", "기록하기")
    arguments = {"line": str(line), "kind": str(kind), "count": count}
    words = {"line": line, "kind": kind, "n": count}
    return Wish("불량 등록", verb, _REPORT, arguments, words, (line, *integer_keys(count)))


_MOVE = lines("""
    로봇 팔을 x {x}, y {y_}로 {v}
    로봇 팔 x {x}, y {y_}로 {v}
    팔을 x {x}, y {y_} 위치로 {v}
    로봇 팔을 좌표 ({x}, {y_})로 {v}
    로봇 팔 좌표 ({x}, {y_})로 {v}
    x {x}, y {y_} 지점으로 로봇 팔을 {v}
    로봇 팔을 ({x}, {y_}) 위치로 {v}
    부품이 ({x}, {y_})에 있어{y}. 로봇 팔을 {v}
""")


def _move(rng: random.Random, side: Side) -> Wish:
    x, y = number(rng, 0, 300, side), number(rng, 0, 300, side)
    verb = Verb("옮겨", "옮기기") if rng.random() < 0.5 else Verb("이동해", "이동하기")
    keys = integer_keys(x, y)
    return Wish("팔 이동", verb, _MOVE, {"x": x, "y": y}, {"x": x, "y_": y}, keys)


_GRIP = lines("""
    집게 {v}
    집게를 {v}
    집게 좀 {v}
    로봇 집게 {v}
    로봇 집게를 {v}
    로봇 팔 집게를 {v}
    지금 집게를 {v}
    로봇 팔 끝의 집게 {v}
    이제 로봇 집게를 {v}
    집게를 천천히 {v}
""")
_CLOSE_REASONS = lines("""
    부품 앞에 왔어{y}. 집게를 {v}
    부품을 잡아야 해{y}. 집게 {v}
""")
_OPEN_REASONS = lines("""
    부품을 다 옮겼어{y}. 집게를 {v}
    부품을 놓아야 해{y}. 집게 {v}
""")


def _grip(rng: random.Random, _side: Side) -> Wish:
    closed = rng.random() < 0.5
    verb = rng.choice(
        (Verb("닫아", "닫기"), Verb("오므려", "오므리기")) if closed else (Verb("열어", "열기"), Verb("벌려", "벌리기"))
    )
    patterns = _GRIP + (_CLOSE_REASONS if closed else _OPEN_REASONS)
    return Wish("집게 닫기" if closed else "집게 열기", verb, patterns, {"closed": closed})


_HOME = lines("""
    로봇 팔을 처음 위치로 {v}
    로봇 팔 처음 자리로 {v}
    로봇 팔을 원래 위치로 {v}
    로봇 팔 원점으로 {v}
    로봇 팔을 원점으로 {v}
    팔을 제자리로 {v}
    로봇 팔을 다시 제자리로 {v}
    작업이 끝났어{y}. 로봇 팔을 원점으로 {v}
    이제 팔을 원래 자리로 {v}
    작업이 끝났어{y}. 팔을 제자리로 {v}
""")


def _home(rng: random.Random, _side: Side) -> Wish:
    verb = rng.choice((Verb("보내", "보내기"), Verb("돌려보내", "돌려보내기"), Verb("옮겨", "옮기기")))
    return Wish("팔 원점", verb, _HOME, {})


INDUSTRY = (
    Skill(
        spec("control_line", "라인 가동", line="string", action="start|stop"),
        _control,
        "line",
        lines("""
            라인 {v}
            라인을 {v}
            라인 좀 {v}
            공장 라인을 {v}
            지금 바로 라인을 {v}
        """),
        ("어느 라인을 말씀하시나요?", "몇 번 라인인가요?"),
    ),
    Skill(
        spec("set_line_speed", "라인 속도", line="string", percent="integer"),
        _speed,
        "percent",
        lines("""
            {line}라인 속도 {v}
            {line}라인 속도 좀 {v}
            {line}라인 속도를 {v}
            {line}라인이 너무 느려{y}. 속도 {v}
            {line}라인이 너무 빨라{y}. 속도 {v}
        """),
        ("속도를 몇 퍼센트로 맞출까요?", "몇 퍼센트 속도로 할까요?"),
    ),
    Skill(
        spec("report_defect", "불량 등록", line="string", kind="string", count="integer"),
        _report,
        "count",
        lines("""
            {line}라인 {kind} 불량 {v}
            {line}라인에서 나온 {kind} 불량을 {v}
            {line}라인 {kind} 불량 좀 {v}
            {line}라인에서 {kind:이} 나왔어{y}. 불량으로 {v}
            {line}라인 {kind}, 불량으로 {v}
        """),
        ("불량이 몇 개인가요?", "불량 개수를 알려 주시겠어요?"),
    ),
    Skill(
        spec("move_arm", "로봇 팔 이동", x="integer", y="integer"),
        _move,
        "x",
        lines("""
            로봇 팔 {v}
            로봇 팔을 {v}
            로봇 팔 좀 {v}
            팔을 {v}
            지금 로봇 팔을 {v}
            부품이 왔어{y}. 로봇 팔을 {v}
        """),
        ("어느 좌표로 옮길까요?", "x와 y 좌표를 알려 주시겠어요?"),
    ),
    Skill(spec("set_gripper", "집게", closed="boolean"), _grip),
    Skill(spec("home_arm", "로봇 팔 원점 복귀"), _home),
)
