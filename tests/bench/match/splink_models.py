"""How the sets are matched with Splink, by hand, as somebody would who knows Splink and the data.

A model says how values are cleaned (columns; `person` is the truth), what is compared and with which
levels and term frequencies, which pairs are candidates (blocking), and how it is trained: rules
that are certain and the share of the true pairs they find, and the blockings of the EM sessions.
"""

import splink.comparison_level_library as level
import splink.comparison_library as compare
from splink import block_on

# What the data sets write where a form insists on a value.
NO_EMAIL = "'none@none.com', 'noemail@example.com', 'test@test.com', 'na@na.com'"
NO_PHONE = "'0000000000', '1111111111', '1234567890', '9999999999'"


def letters(column):
    return f"nullif(regexp_replace(lower(strip_accents({column})), '[^a-z ]', '', 'g'), '')"


def digits(column):
    return f"nullif(regexp_replace({column}, '[^0-9]', '', 'g'), '')"


def street(column):
    """In full words, without the flat."""
    text = f"regexp_replace(lower(strip_accents({column})), '(apt|unit|#) .*$', '')"
    for short, full in {
        "st": "street", "str": "street", "ave": "avenue", "av": "avenue", "rd": "road", "dr": "drive",
        "ln": "lane", "blvd": "boulevard", "ct": "court", "trl": "trail",
    }.items():
        text = f"regexp_replace({text}, '\\b{short}\\b\\.?', '{full}')"
    return f"nullif(trim({text}), '')"


def name(column, *levels):
    """Equal names by their frequency, then by how alike they look; `levels` come in between."""
    return compare.CustomComparison(
        output_column_name=column,
        comparison_levels=[
            level.NullLevel(column),
            level.ExactMatchLevel(column, term_frequency_adjustments=True),
            *levels,
            level.JaroWinklerLevel(column, 0.92),
            level.JaroWinklerLevel(column, 0.85),
            level.ElseLevel(),
        ],
    )


def edits(column, *distances):
    """Equal values by their frequency, then by the slips between them."""
    return compare.CustomComparison(
        output_column_name=column,
        comparison_levels=[
            level.NullLevel(column),
            level.ExactMatchLevel(column, term_frequency_adjustments=True),
            *[level.LevenshteinLevel(column, slips) for slips in distances],
            level.ElseLevel(),
        ],
    )


def birth(column):
    """A date as text: equal, day and month swapped, one slip, the same year."""
    part = "substr({0}_l, {1}, {2}) = substr({0}_r, {3}, {2})".format
    swapped = f"{part(column, 1, 4, 1)} AND {part(column, 6, 2, 9)} AND {part(column, 9, 2, 6)}"
    return compare.CustomComparison(
        output_column_name=column,
        comparison_levels=[
            level.NullLevel(column),
            level.ExactMatchLevel(column, term_frequency_adjustments=True),
            level.CustomLevel(swapped, "Day and month swapped"),
            level.LevenshteinLevel(column, 1),
            level.LevenshteinLevel(column, 2),
            level.CustomLevel(part(column, 1, 4, 1), "Same year"),
            level.ElseLevel(),
        ],
    )


def address(near):
    """Street, postal code and city are one thing: as three fields they would count thrice."""
    return compare.CustomComparison(
        output_column_name="address",
        comparison_levels=[
            level.And(*map(level.NullLevel, ["street", "postal_code", "city"])),
            level.And(level.ExactMatchLevel("street"), level.ExactMatchLevel("postal_code")),
            level.And(near("street"), level.ExactMatchLevel("postal_code")),
            level.And(level.ExactMatchLevel("street"), level.ExactMatchLevel("city")),
            level.ExactMatchLevel("postal_code", term_frequency_adjustments=True),
            level.ExactMatchLevel("city", term_frequency_adjustments=True),
            level.ElseLevel(),
        ],
    )


def email():
    user = "split_part(email_l, '@', 1) = split_part(email_r, '@', 1)"
    return compare.CustomComparison(
        output_column_name="email",
        comparison_levels=[
            level.NullLevel("email"),
            level.ExactMatchLevel("email", term_frequency_adjustments=True),
            level.CustomLevel(user, "Same user at another provider"),
            level.JaroWinklerLevel("email", 0.9),
            level.ElseLevel(),
        ],
    )


PERSON = {
    "person": "person::bigint",
    "first_name": f"split_part({letters('first_name')}, ' ', 1)",
    "last_name": letters("replace(replace(last_name, '-', ''), ' ', '')"),
    "gender": "gender",
    "birth_date": "CASE WHEN birth_date <> '1900-01-01' THEN birth_date END",
    "email": f"CASE WHEN lower(email) NOT IN ({NO_EMAIL}) THEN lower(email) END",
    "phone": f"CASE WHEN phone NOT IN ({NO_PHONE}) THEN right({digits('phone')}, 10) END",
    "street": street("street"),
    "postal_code": "lpad(postal_code, 5, '0')",
    "city": letters("city"),
    "national_id": digits("national_id"),
}
PERSON_BLOCKING = [
    block_on("email"),
    block_on("phone"),
    block_on("national_id"),
    block_on("first_name", "last_name"),
    block_on("last_name", "postal_code"),
    block_on("first_name", "postal_code"),
    block_on("street", "postal_code"),
    block_on("birth_date"),
]
PERSON_CERTAIN = [
    block_on("national_id"),
    block_on("email", "first_name"),
    block_on("first_name", "last_name", "birth_date"),
]
# Blocked on e-mail or phone, EM takes families for matches: 0.01 of F1 less.
PERSON_TRAINING = [
    block_on("first_name", "last_name"),
    block_on("first_name", "birth_date"),
    block_on("last_name", "birth_date"),
]
SWAPPED = level.ColumnsReversedLevel("first_name", "last_name")
SAME_INITIAL = level.CustomLevel(
    "(length(first_name_l) = 1 OR length(first_name_r) = 1)"
    " AND substr(first_name_l, 1, 1) = substr(first_name_r, 1, 1)",
    "An initial only",
)

MODELS = {
    "persons": dict(
        columns=PERSON,
        comparisons=[
            name("first_name", SWAPPED, SAME_INITIAL),
            name("last_name", level.ColumnsReversedLevel("last_name", "first_name")),
            birth("birth_date"),
            email(),
            edits("phone", 1, 2),
            address(lambda column: level.JaroWinklerLevel(column, 0.9)),
            compare.ExactMatch("gender"),
            edits("national_id", 1, 2),
        ],
        blocking=PERSON_BLOCKING,
        certain=PERSON_CERTAIN,
        recall=0.75,
        training=PERSON_TRAINING,
    ),
    # PostgreSQL has no other distance than Levenshtein's.
    "persons_levenshtein": dict(
        columns=PERSON,
        comparisons=[
            edits("first_name", 1, 2),
            edits("last_name", 1, 2),
            birth("birth_date"),
            edits("email", 1, 3),
            edits("phone", 1, 2),
            address(lambda column: level.LevenshteinLevel(column, 2)),
            compare.ExactMatch("gender"),
            edits("national_id", 1, 2),
        ],
        blocking=PERSON_BLOCKING,
        certain=PERSON_CERTAIN,
        recall=0.75,
        training=PERSON_TRAINING,
    ),
    "febrl": dict(
        columns={
            "person": "split_part(trim(rec_id), '-', 2)::bigint",
            **{
                column: f'nullif(trim("{column}"), \'\')'
                for column in [
                    "given_name", "surname", "street_number", "address_1", "suburb", "postcode", "date_of_birth",
                    "soc_sec_id",
                ]
            },
        },
        comparisons=[
            name("given_name", level.ColumnsReversedLevel("given_name", "surname")),
            name("surname", level.ColumnsReversedLevel("surname", "given_name")),
            edits("date_of_birth", 1, 2),
            edits("soc_sec_id", 1, 2),
            edits("street_number", 1),
            name("address_1"),
            name("suburb"),
            edits("postcode", 1, 2),
        ],
        blocking=[
            block_on("soc_sec_id"),
            block_on("date_of_birth"),
            block_on("given_name", "surname"),
            block_on("surname", "postcode"),
            block_on("given_name", "postcode"),
            block_on("address_1", "street_number"),
        ],
        certain=[block_on("soc_sec_id"), block_on("given_name", "surname", "date_of_birth")],
        recall=0.9,
        training=[block_on("date_of_birth"), block_on("soc_sec_id"), block_on("postcode", "surname")],
    ),
    "fake_1000": dict(
        columns={
            "person": "cluster::bigint",
            "first_name": letters("first_name"),
            "last_name": letters("surname"),
            "dob": "dob",
            "city": letters("city"),
            "email": "lower(email)",
        },
        comparisons=[
            name("first_name", SWAPPED),
            name("last_name", level.ColumnsReversedLevel("last_name", "first_name")),
            birth("dob"),
            edits("city", 1),
            email(),
        ],
        blocking=[
            block_on("first_name"),
            block_on("last_name"),
            block_on("dob"),
            block_on("email"),
        ],
        certain=[block_on("first_name", "last_name", "dob"), block_on("email")],
        recall=0.6,
        training=[block_on("dob"), block_on("email"), block_on("first_name")],
    ),
}
