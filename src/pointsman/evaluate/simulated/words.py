"""The words that fill the slots of the simulated prompts: invented people, real places, everyday things.

Takes nothing, gives `POOLS`: slot name -> fillers. No filler is a fact that anything depends on.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _lines(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.strip().split(";"))


FIRST_NAMES = _words(
    """Maria Tomas Aisha Oliver Yuki Priya Samuel Ingrid Mateo Chloe Dmitri Fatima George Hana Ivan Julia Kwame Lena
    Marcus Nadia Omar Paula Quentin Rosa Stefan Tariq Ulla Victor Wendy Xavier Yara Zoltan Amara Boris Carmen Daniel
    Elif Farid Greta Hugo Isabel Jonas Keiko Liam Mina Noah Olga Pedro Ruth Sanjay Teresa Umar Vera Walter Adaeze
    Bruno Celine Dario Esther Felix Gwen Henrik Irina Joon"""
)
SURNAMES = _words(
    """Okafor Lindqvist Moreau Tanaka Silva Novak Haddad Jensen Petrov Nguyen Rossi Keller Mensah Ortega Walsh Iqbal
    Fischer Kowalski Dubois Andersen Castillo Bianchi Yilmaz Horvat Sato Chen Murphy Larsen Ibrahim Costa Weber
    Virtanen Popescu Delgado Hughes Kimura Banerjee Olsen Marsh Whitfield Adeyemi Sorensen Vasquez Thorne"""
)
CITIES = _words(
    """Lisbon Oslo Nairobi Kyoto Lima Toronto Krakow Marseille Leeds Chicago Valparaiso Hanoi Casablanca Porto Zagreb
    Helsinki Accra Brisbane Montreal Seville Gdansk Istanbul Bergen Naples Tallinn Bogota Denver Ghent Mumbai Osaka
    Quito Riga Salvador Tunis Utrecht Vienna Wellington Yerevan Zurich Antwerp Bologna Cork Dakar Edinburgh
    Freiburg Geneva Havana Izmir Jakarta Kigali"""
)
COUNTRIES = _words(
    """France Japan Brazil Canada Egypt Germany India Italy Mexico Spain Australia China Greece Norway Portugal Kenya
    Argentina Sweden Turkey Poland Chile Peru Thailand Vietnam Morocco Nigeria Ireland Austria Hungary Finland
    Colombia Iceland Ethiopia Ghana Nepal Cuba Jordan Croatia Bulgaria Uruguay"""
)
RARE_COUNTRIES = _words(
    """Bhutan Lesotho Suriname Kiribati Burundi Tajikistan Brunei Eswatini Comoros Vanuatu Turkmenistan Djibouti
    Moldova Benin Palau Malawi Gabon Kyrgyzstan Tuvalu Guyana Nauru Eritrea Andorra Belize"""
)
THINGS = _words(
    """apples books candles coins eggs flowers hats jars keys lamps marbles notebooks oranges pencils plates ribbons
    shells stamps stickers tickets tomatoes umbrellas vases bricks buttons cakes cups badges posters mugs lemons
    bottles crates folders gloves kites lanterns magnets napkins onions pears postcards scarves spoons tiles
    towels trays walnuts"""
)
ANIMALS = _words("cats dogs goats hens horses sheep ducks rabbits cows geese llamas donkeys bees pigeons")
COLOURS = _words("red blue green yellow white black purple orange grey brown pink silver turquoise crimson")
MONTHS = _words("January February March April May June July August September October November December")
WEEKDAYS = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
IDENTIFIERS = _words(
    """total items values result data rows words acc stack queue nums left right count seen pairs table chunk buffer
    window score node parts lines"""
)
FUNCTIONS = _words(
    """process compute collect merge fold transform scan walk reduce_all summarise pack unwind trace mix shuffle_in
    settle expand trim_all group squash resolve tally"""
)
CODE_WORDS = _words(
    """banana signal mirror planet copper velvet window harbor garden lantern pepper rocket silver thunder violet
    walnut zephyr kernel matrix vector"""
)

JOBS = _lines(
    """a nurse;a baker;a plumber;a taxi driver;a school teacher;a data analyst;a florist;a lawyer;a carpenter;
    a librarian;a warehouse manager;a freelance designer;a vet;a sound engineer;a bus driver;a chemist;a dentist;
    a tour guide;a farmer;a novelist;an electrician;an accountant;an architect;an optician;an office manager"""
)
SUBJECTS = _lines(
    """urban beekeeping;the history of lighthouses;solar panels on flats;learning to swim as an adult;night trains;
    composting at home;the migration of storks;keeping a diary;sourdough bread;public libraries;volcanoes;
    remote work;the invention of the zip;tide pools;electric buses;chess openings;glass blowing;second-hand clothes;
    desert gardens;the smell of rain;coral reefs;old maps;rowing clubs;street markets;school uniforms;
    the moons of Jupiter;mountain rescue;fermented food;handwriting;bicycle lanes;silent films;tea ceremonies;
    weather balloons;bridges;crossword puzzles;community choirs;long-distance running;wool;repair cafes;
    wind turbines;museum audio guides;tiny houses"""
)
PRODUCTS = _lines(
    """kettle;desk lamp;rucksack;wireless headset;coffee grinder;rain jacket;office chair;phone case;bread maker;
    running shoes;garden hose;electric toothbrush;travel pillow;air fryer;hiking tent;water bottle;keyboard;
    baby monitor;yoga mat;bicycle pump;hair dryer;suitcase;robot vacuum;camera strap;space heater"""
)
FEATURES = _lines(
    """the handle;the battery;the packaging;the colour;the zip;the instructions;the app;the lid;the noise it makes;
    the delivery;the price;the stitching;the size;the customer service;the charging cable;the smell;the warranty"""
)
COMPANY_KINDS = _words("Foods Logistics Textiles Instruments Marine Optics Paper Robotics Seeds Studios Timber Tools")
COMPANIES = (
    "{surname} {company_kind}",
    "{surname} & {surname}",
    "{city} {company_kind}",
    "North {city} {company_kind}",
)
ROLES = _lines(
    """the treasurer;the site manager;the head of sales;the lead engineer;the deputy mayor;the school board;
    the harbour master;the trade union;the night shift;the head gardener;the finance team;the volunteers;
    the landlord;the project office;the health inspector;the youth council"""
)
PROJECTS = _lines(
    """the bridge repair;the library extension;the new ticket system;the flood barrier;the school canteen;
    the tram depot;the water main;the spring catalogue;the warehouse move;the payroll upgrade;the museum roof;
    the cycle path;the irrigation trial;the archive scan;the ferry timetable;the packaging line;the clinic refit;
    the apprentice scheme"""
)
REASONS = _lines(
    """a late delivery of steel;two weeks of heavy rain;a dispute over the invoice;a shortage of trained staff;
    a fault in the main pump;a change in the safety rules;an unexpected rise in rents;a strike at the port;
    a mistake in the first survey;a broken server;the cold spring;a missing permit;an error in the address list;
    unusually high demand"""
)
OUTCOMES = _lines(
    """a vote was put off until the next meeting;the matter was settled the same afternoon;nobody objected;
    three members asked for the figures in writing;a second quote was requested;the old rules stay in force;
    the budget line was left unchanged;the decision surprised most of the people present;
    a review is due within six weeks;the complaint was withdrawn;costs are to be shared equally;
    the plan went ahead without further debate"""
)
SYMPTOMS = _lines(
    """a dry cough;a stiff neck;a rash on both arms;dizziness when standing up;a burning feeling in the stomach;
    blurred vision;swollen ankles;night sweats;a ringing in one ear;numb fingertips;chest tightness on stairs;
    joint pain in the mornings;a low fever;constant thirst;a metallic taste;trouble sleeping;palpitations;
    a headache behind one eye"""
)
DRUGS = _words(
    "ibuprofen metformin warfarin lisinopril amoxicillin sertraline omeprazole levothyroxine prednisone atorvastatin"
)
CONDITIONS = _lines(
    """type 2 diabetes;high blood pressure;asthma;a peanut allergy;mild kidney disease;migraine with aura;
    an underactive thyroid;atrial fibrillation;coeliac disease;a previous stroke;gout;iron deficiency"""
)
PLAN_LIMITS = _lines(
    """One of us doesn't fly;Nothing before nine in the morning;We must be back by {weekday} evening;
    Two people are vegetarian;The total must stay under {n:3-90}00 euros;There is a toddler with us;
    We have no car;One day has to be free of any plans;It may rain all week;My mother uses a wheelchair;
    The {weekday} slot is already taken;Leave two hours for calls with {city};Keep a tenth of the money in reserve;
    Nobody may work more than {n:5-9} hours a day;The keys are handed over on {weekday} at noon;
    {name} can only join for the first half;Everything has to fit into one suitcase"""
)

POOLS: dict[str, tuple[str, ...]] = {
    "first": FIRST_NAMES,
    "surname": SURNAMES,
    "name": FIRST_NAMES,
    "full": ("{first} {surname}",),
    "city": CITIES,
    "country": COUNTRIES,
    "rare": RARE_COUNTRIES,
    "things": THINGS,
    "animals": ANIMALS,
    "colour": COLOURS,
    "month": MONTHS,
    "weekday": WEEKDAYS,
    "job": JOBS,
    "subject": SUBJECTS,
    "product": PRODUCTS,
    "feature": FEATURES,
    "company_kind": COMPANY_KINDS,
    "company": COMPANIES,
    "role": ROLES,
    "project": PROJECTS,
    "reason": REASONS,
    "outcome": OUTCOMES,
    "symptom": SYMPTOMS,
    "drug": DRUGS,
    "condition": CONDITIONS,
    "limit": PLAN_LIMITS,
    "var": IDENTIFIERS,
    "func": FUNCTIONS,
    "codeword": CODE_WORDS,
}
