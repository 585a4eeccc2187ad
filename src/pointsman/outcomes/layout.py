"""What an outcome folder is made of: the names of its files and of the columns of its long tables.

Names alone; takes nothing, gives nothing, opens no file.
"""

TEXT_COLUMNS = ("prompt_id", "prompt", "dataset", "model")
NUMBER_COLUMNS = ("score", "input_tokens", "output_tokens", "cost_usd")
COLUMNS = TEXT_COLUMNS + NUMBER_COLUMNS

# What a part may hold beside them; a part without them is as good.
OPTIONAL_TEXT_COLUMNS = ("answer", "grader")
OPTIONAL_NUMBER_COLUMNS = ("at_s", "propensity")
OPTIONAL_COLUMNS = ("at_s", "answer", "propensity", "grader")

MAIN_FILE = "outcomes.parquet"
PART_FILES = "outcomes-*.parquet"
ABOUT_FILE = "dataset.yaml"
