"""Fact sheets: the documents that the assistant is asked about, of shops and of households, seeded and readable back.

    Toy shop, 12 Oak Lane
    kite: 24 euros, shelf 3
    ball: 7 euros, shelf 5
    robot: 18 euros, shelf 1
    Mia: ball
    Tom: kite

A line names a thing and its two facts; the last lines say which thing a person has ordered or looks after. Every sheet
has a number, and no two numbers have the same title, so that parts of the data share no sheet by taking other numbers.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace

from jobs.errors import BadInput

LINES, PEOPLE_ON_A_SHEET = 3, 2
PEOPLE = (
    *("Mia", "Tom", "Ana", "Ben", "Eva", "Max", "Lea", "Jon", "Ida", "Leo", "Zoe", "Sam"),
    *("Amy", "Dan", "Kim", "Ron"),
)
STREETS = (
    *("Oak Lane", "Mill Road", "High Street", "Park Way", "Hill Road", "Lake Street", "Church Lane", "Station Road"),
    *("River Walk", "Green Lane", "King Street", "West Road", "Bridge Street", "Field Way", "Pine Street", "Dock Road"),
)
HOUSES = 99
# Prime to the number of titles of every topic: numbers that follow one another get titles far apart.
STRIDE = 7919
FACTS_LINE = re.compile(r"([a-z]+): ([^,]+), ([^,]+)")
PERSON_LINE = re.compile(r"([A-Z][a-z]+): ([a-z]+)")


@dataclass(frozen=True)
class Topic:
    """A kind of sheet. `facts` are the names of a thing's two facts and `values` what each can be; `belonging` is what
    a person's thing is called; `questions` are the ways to ask for each fact, `{it}` standing for the thing."""

    name: str
    owners: tuple[str, ...]
    things: tuple[str, ...]
    facts: tuple[str, str]
    values: tuple[tuple[str, ...], tuple[str, ...]]
    belonging: str
    questions: tuple[tuple[str, ...], tuple[str, ...]]


SHOP = Topic(
    name="shop",
    owners=tuple(
        f"{kind} shop"
        for kind in (
            "Toy",
            "Bike",
            "Book",
            "Music",
            "Garden",
            "Camera",
            "Craft",
            "Sports",
            "Paint",
            "Tea",
            "Pet",
            "Art",
        )
    ),
    things=(
        *("kite", "ball", "robot", "bell", "lamp", "lock", "drum", "flute", "pen", "globe", "rope", "tent", "brush"),
        *("vase", "clock", "chair", "mirror", "basket", "candle", "frame", "kettle", "bowl", "scarf", "bag"),
    ),
    facts=("price", "shelf"),
    values=(tuple(f"{price} euros" for price in range(2, 100)), tuple(f"shelf {number}" for number in range(1, 21))),
    belonging="order",
    questions=(
        ("How much is {it}?", "What does {it} cost?", "What is the price of {it}?"),
        ("Where is {it}?", "Which shelf is {it} on?", "Where do I find {it}?"),
    ),
)
HOUSEHOLD = Topic(
    name="household",
    owners=tuple(
        f"{name} family"
        for name in (
            *("Brown", "Young", "Baker", "Cook", "Hill", "Wood"),
            *("Stone", "Fisher", "Carter", "Turner", "Miller", "Ward"),
        )
    ),
    things=(
        *("boiler", "filter", "chimney", "gutter", "alarm", "fridge", "oven", "pump", "fence", "roof", "carpet"),
        *("piano", "heater", "meter", "door", "window", "printer", "mower", "ladder", "fan", "stove", "tank"),
    ),
    facts=("month", "room"),
    values=(
        (
            *("January", "February", "March", "April", "May", "June", "July"),
            *("August", "September", "October", "November", "December"),
        ),
        (
            *("cellar", "kitchen", "attic", "garage", "hall", "office", "bathroom", "bedroom"),
            *("pantry", "garden", "workshop", "nursery"),
        ),
    ),
    belonging="job",
    questions=(
        ("When is {it} due?", "Which month is {it} due?", "What month is {it} due?"),
        ("Where is {it}?", "Which room is {it} in?", "Where do I find {it}?"),
    ),
)
TOPICS = {topic.name: topic for topic in (SHOP, HOUSEHOLD)}


@dataclass(frozen=True)
class Line:
    """A thing and its two facts, in the order in which its topic names them."""

    thing: str
    facts: tuple[str, str]


@dataclass(frozen=True)
class Sheet:
    """A document. Without lines it is one that only its title is known of."""

    topic: Topic
    title: str
    lines: tuple[Line, ...] = ()
    people: tuple[tuple[str, str], ...] = ()

    def text(self) -> str:
        """The sheet as it stands in a prompt."""
        lines = [f"{line.thing}: {', '.join(line.facts)}" for line in self.lines]
        return "\n".join([self.title, *lines, *(f"{person}: {thing}" for person, thing in self.people)])

    def fact(self, thing: str, name: str) -> str | None:
        """A thing's fact by its name, such as price; None where the sheet doesn't tell it."""
        line = next((line for line in self.lines if line.thing == thing), None)
        return line.facts[self.topic.facts.index(name)] if line and name in self.topic.facts else None

    def thing_of(self, person: str) -> str | None:
        """What a person has ordered or looks after; None for somebody who isn't named."""
        return dict(self.people).get(person)

    def falsified(self) -> Sheet:
        """The same sheet with the same few false facts for everything: what a liar reads from it."""

        def false(line: Line) -> Line:
            first, second = (
                false_value(self.topic, name, fact) for name, fact in zip(self.topic.facts, line.facts, strict=True)
            )
            return replace(line, facts=(first, second))

        return replace(self, lines=tuple(false(line) for line in self.lines))


def false_value(topic: Topic, fact: str, right: str) -> str:
    """The first value that a fact can have and that isn't the right one."""
    return next(value for value in topic.values[topic.facts.index(fact)] if value != right)


def make_sheet(number: int, seed: int) -> Sheet:
    """Sheet `number`, from 0; even ones are of shops, odd ones of households. Raises BadInput past the last title."""
    topic = (SHOP, HOUSEHOLD)[number % 2]
    draw = random.Random(f"{seed} sheet {number}")
    things = draw.sample(topic.things, LINES)
    facts = [draw.sample(values, LINES) for values in topic.values]
    people = draw.sample(PEOPLE, PEOPLE_ON_A_SHEET)
    return Sheet(
        topic,
        _title(topic, number // 2),
        tuple(Line(thing, (first, second)) for thing, first, second in zip(things, *facts, strict=True)),
        tuple(zip(people, draw.sample(things, PEOPLE_ON_A_SHEET), strict=True)),
    )


def _title(topic: Topic, number: int) -> str:
    titles = len(topic.owners) * len(STREETS) * HOUSES
    if not 0 <= number < titles:
        raise BadInput(
            f"Sheet {number + 1} of the topic {topic.name} was asked for.",
            f"There are titles for {titles}.",
            "Ask for fewer rows.",
        )
    place, house = divmod(number * STRIDE % titles, HOUSES)
    street, owner = divmod(place, len(topic.owners))
    return f"{topic.owners[owner]}, {house + 1} {STREETS[street]}"


def read_sheet(text: str) -> Sheet | None:
    """The sheet that a text begins with; lines that are none of a sheet are passed over. None without a title."""
    title, *rest = text.strip().split("\n")
    owner = title.partition(",")[0]
    topic = next((topic for topic in TOPICS.values() if owner in topic.owners), None)
    if topic is None:
        return None
    facts = [found for line in rest if (found := FACTS_LINE.fullmatch(line))]
    people = [found for line in rest if (found := PERSON_LINE.fullmatch(line))]
    return Sheet(
        topic,
        title,
        tuple(Line(found[1], (found[2], found[3])) for found in facts),
        tuple((found[1], found[2]) for found in people),
    )
