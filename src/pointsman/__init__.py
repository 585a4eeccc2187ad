from pointsman.errors import InputError
