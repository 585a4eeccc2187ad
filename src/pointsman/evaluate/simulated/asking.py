"""Prompts with little to compute or read: facts, exact instructions, small talk, plans, advice, other languages.

Each writer takes `Draws` and gives a `Written`. The advice prompts are invented people's invented worries.
"""

from __future__ import annotations

from pointsman.evaluate.simulated.draws import Draws, Slots
from pointsman.evaluate.simulated.words import POOLS
from pointsman.evaluate.simulated.written import Written

_FACTS = (
    ("What is the capital of {country}?", -2.3),
    ("What is the capital of {rare}?", -0.7),
    ("Which countries border {country}?", -0.9),
    ("Which countries border {rare}?", 0.3),
    ("What currency was used in {country} in {n:1890-1995}?", 0.2),
    ("Who was head of government of {country} in {n:1950-2015}?", 0.1),
    ("Who was head of government of {rare} in {n:1965-2015}?", 1.6),
    ("Which chemical element has atomic number {n:3-40}?", -1.3),
    ("Which chemical element has atomic number {n:57-104}, and who discovered it?", 0.4),
    ("Who won the Nobel Prize in literature in {n:1905-2020}?", 0.5),
    ("In which year did {country} join the United Nations?", 0.3),
    ("Name {n:2-4} rivers that flow through {country}.", -0.8),
    ("Name the {n:2-5} largest towns of {rare} by population.", 1.1),
    ("Roughly how many people lived in {city} in {n:1850-1990}?", 1.2),
    ("What is {city} best known for?", -1.7),
    ("What is the national dish of {country}, and what goes into it?", -1.2),
    ("Which languages are spoken in {rare}?", -0.2),
    ("Name a novel set in {city} and its author.", 0.4),
    ("Which treaty ended the war that {country} fought around {n:1700-1900}?", 1.3),
    ("Who designed the main railway station of {city}?", 1.8),
    ("Tell me one fact about {subject} that most people don't know.", -0.4),
    ("Who is thought to have written the first book about {subject}?", 1.7),
    ("How long is the coast of {country} in kilometres?", 0.8),
    ("At what altitude does {city} lie?", 0.6),
)
_FACT_FRAMES = (
    ("{0}", 0.0),
    ("{0}", 0.0),
    ("{0} Answer in one short sentence.", 0.0),
    ("{0} Just the answer, no explanation.", 0.0),
    ("quick question: {0}", 0.0),
    ("For a pub quiz: {0}", 0.0),
    ("{0} If you aren't sure, say so.", -0.2),
    ("{0} Also say how the answer has changed since {n:1920-1990}.", 0.9),
)


def facts(draws: Draws) -> Written:
    """A question of general knowledge, from the capital of France to who built a railway station."""
    slots = Slots(draws, POOLS)
    (question, difficulty), (frame, shift) = draws.pick(_FACTS), draws.pick(_FACT_FRAMES)
    text = slots.fill(frame.replace("{0}", question))
    return Written(text, difficulty + shift, 45 + 60 * shift)


_PIECES = (
    "a short notice about {subject}",
    "an e-mail from {name} to {role} about {project}",
    "a product text for a {colour} {product}",
    "a poem about {subject}",
    "{n:3-9} tips on {subject}",
    "a diary entry by {job} in {city}",
    "a speech for the opening of {project}",
    "a dialogue between {name} and {name} about {subject}",
)
_RULES = (
    "Use exactly {n:25-180} words.",
    "Write {n:2-6} paragraphs, separated by a line with three asterisks.",
    "Don't use the letter {letter} anywhere.",
    "Write everything in lower case.",
    "End with the exact words 'that is all, {name}'.",
    "Every sentence must begin with a different letter.",
    "Mention '{codeword}' exactly {n:2-5} times.",
    "Wrap the title in double angle brackets.",
    "Use no commas.",
    "Put the answer in a table with {n:2-5} columns.",
    "The first letters of the lines must spell {codeword}.",
    "Don't mention {colour}, {city} or {weekday}.",
    "Give {n:2-4} versions, each shorter than the one before.",
    "Repeat this request word for word before you answer.",
)
_LETTERS: dict[str, tuple[str, ...]] = {"letter": tuple("aeiourstnl")}


def instructions(draws: Draws) -> Written:
    """A small piece to write under one to eight rules; scored only if every rule is kept."""
    slots = Slots(draws, POOLS | _LETTERS)
    rules = draws.several(_RULES, draws.tailed(1, 8))
    text = slots.fill(f"Write {draws.pick(_PIECES)}. {' '.join(rules)}")
    return Written(text, -1.5 + 0.45 * len(rules), 150)


_TALK = (
    "hi, how's it going?",
    "good morning! it's {weekday} and I'm already tired",
    "do you ever get bored of questions about {subject}?",
    "tell me something nice about {city}",
    "I just finished a book on {subject} and don't know what to read next",
    "my {product} broke today. cheer me up",
    "what should I cook tonight? I've got {n:2-9} {things} and some rice",
    "{name} forgot my birthday. should I say something?",
    "I'm {job} and today was my first day at {company}, any advice?",
    "what would {name} the cat say about {subject}?",
    "suggest a name for {n:2-9} {animals}",
    "can't sleep, been up for {n:2-9} hours thinking about {subject}",
    "pretend you're {job} from {city} and greet me",
    "thanks for your help with the {product} yesterday!",
    "is it odd that I own {n:8-90} {things}?",
    "recommend a hobby for someone who likes {subject} and {subject}",
    "rate my day: missed the bus in {city}, found {n:2-20} {things}, lost my {product}",
    "tell me a joke about {animals} and {subject}",
    "I have to give a toast for {name} and {name} on {weekday}. they met over {subject}. ideas?",
)
_TALK_TAILS = (
    "",
    "",
    "",
    " :)",
    " keep it short",
    " be honest",
    " no emojis please",
    " I mean it",
    " (asking for {name})",
)


def chat(draws: Draws) -> Written:
    """Small talk: short, easy, graded on how pleasant the answer is to read."""
    slots = Slots(draws, POOLS)
    text = slots.fill(draws.pick(_TALK) + draws.pick(_TALK_TAILS))
    return Written(text, -1.5 + 0.03 * len(text.split()), 70)


_PLANS = (
    "Plan a {n1:2-9}-day trip from {city1} to {city2} and {city3} in {month1} for {n:2-7} people.",
    "Make a study plan for {n1:2-12} weeks: I want to learn about {subject1} beside my work as {job1}.",
    "Plan the {weekday1} meeting about {project1}: {n1:3-9} items, {n:40-180} minutes, {n:4-30} people.",
    "Draw up a rota for {n1:4-14} volunteers over {n:2-6} weeks at the {city1} fair.",
    "Organise a party for {n1:8-90} guests about {subject1} with {n:2-40}00 euros.",
    "Plan how {company1} should move its {n1:12-300} desks from {city1} to {city2} in {n:2-9} days.",
    "Draw up a budget for {n1:3-24} months for {job1} who earns {n:14-60}00 euros a month and lives in {city1}.",
)


def planning(draws: Draws) -> Written:
    """Something to plan under none to twelve conditions; graded by how many the plan keeps."""
    slots = Slots(draws, POOLS)
    limits = draws.several(POOLS["limit"], draws.tailed(1, 13) - 1)
    wishes = "".join(f"\n- {slots.fill(limit)}" for limit in limits)
    text = slots.fill(draws.pick(_PLANS)) + (f"\nConditions:{wishes}" if limits else "")
    return Written(text, -0.9 + 0.22 * len(limits), 320 + 30 * len(limits))


_CASES = (
    (
        "A {n:19-84}-year-old patient with {condition} has had {symptom} and {symptom} for {n:2-20} days. "
        "What is the most likely cause?",
        0.6,
    ),
    ("Can someone with {condition} take {drug} together with {drug}?", 0.3),
    ("What are the common side effects of {drug}?", -1.2),
    (
        "I'm {n:19-70}, take {n:5-40} mg of {drug} a day and now have {symptom}. Should I see a doctor today "
        "or can it wait until {weekday}?",
        0.1,
    ),
    ("Is {symptom} a reason to stop {drug} before an operation?", 0.7),
    (
        "My landlord in {city} wants to raise the rent by {n:4-35} per cent after {n:3-30} months. "
        "Is he allowed to, and what can I do?",
        0.4,
    ),
    ("What does a notice period of {n:2-12} weeks mean in an employment contract?", -1.1),
    (
        "{company} delivered {n:20-900} {things} {n:2-40} days late, after {reason}. The contract sets a penalty of "
        "{n:1-5} per cent a week and excludes force majeure. What can the buyer claim under the law of {country}?",
        1.3,
    ),
    (
        "A will from {n:1975-2018} leaves the house in {city} to {name}, a later letter leaves it to {name}. "
        "Which one counts in {country}?",
        0.9,
    ),
    ("What is the difference between a guarantee and a warranty when I buy a {product}?", -1.0),
    ("Do I need a written contract to sell {n:2-30} {animals} to a neighbour?", -0.4),
)
_CASE_DETAILS = (
    "There is also {condition}.",
    "{drug} was stopped {n:2-9} weeks ago.",
    "A cousin had the same trouble in {n:1990-2020}.",
    "Nothing was put in writing.",
    "The other side has already hired a lawyer.",
    "Tests on {weekday} showed nothing unusual.",
)


def advice(draws: Draws) -> Written:
    """A medical or legal question with none to three further details."""
    slots = Slots(draws, POOLS)
    case, difficulty = draws.pick(_CASES)
    details = draws.several(_CASE_DETAILS, draws.tailed(1, 4) - 1)
    ending = draws.pick(("", "", " Name the rule you rely on.", " Answer in plain words.", " Give two options."))
    text = slots.fill(" ".join([case, *details]) + ending)
    return Written(text, difficulty + 0.2 * len(details), 210)


_ELSEWHERE = (
    ("Wie lautet die Hauptstadt von {land}, und wie weit liegt sie von {city}?", -1.6),
    ("Schreibe eine kurze Nachricht an {name}: Das Treffen in {city} beginnt {n:10-50} Minuten später.", -1.0),
    ("Ein Zug fährt um {n:6-12} Uhr in {city} ab und braucht {n:70-400} Minuten. Wann kommt er an?", -0.2),
    ("Erkläre den Unterschied zwischen {begriff} und {begriff} in {n:2-5} Sätzen.", 0.4),
    ("Quelle est la capitale de ce pays : {land} ? Et combien de temps dure le vol depuis {city} ?", -1.5),
    ("Rédige une lettre de {n:60-200} mots pour contester une amende reçue à {city}.", 0.2),
    ("{name} achète {n:3-40} cahiers à {n:2-9} euros et paie avec {n:4-9}00 euros. Combien lui rend-on ?", -0.5),
    ("Explique en {n:2-6} phrases pourquoi la mer est salée, pour un enfant de {n:6-12} ans.", -0.7),
    ("¿Qué tiempo suele hacer en {city} en otoño?", -1.0),
    ("Corrige este texto y explica cada cambio: 'ayer {name} a venido con {n:2-9} amigo a {city}'.", 0.1),
    ("Dame {n:3-9} ideas para una cena sin gluten para {n:4-20} personas.", -0.8),
    ("Scrivi una ricetta per {n:2-12} persone con pomodori, riso e {n:2-5} altri ingredienti.", -0.6),
    ("Qual è la differenza tra {concetto} e {concetto}, in {n:2-6} frasi?", 0.3),
    ("Escreve um poema de {n:4-16} versos sobre o mar de {city}.", 0.0),
    ("Quantos dias há entre {n:1-28} de março e {n:1-30} de outubro?", 0.3),
    ("Leg in {n:2-5} zinnen uit hoe een warmtepomp werkt.", -0.4),
    ("Napisz krótki list do {name} z prośbą o zwrot {n:20-900} euro.", 0.2),
    ("{n:3-30}人で京都を{n:2-6}日間旅行する計画を立ててください。", 0.5),
    ("请用{n:50-200}个字介绍一下你最喜欢的城市。", 0.1),
    ("Andika barua fupi kwa {name} kuhusu mkutano wa saa {n:1-12}.", 1.3),
    ("{city} için {n:2-6} günlük bir gezi planı hazırla.", 0.6),
)
# Names that German and French spell alike, and notions for one language each.
_ELSEWHERE_POOLS: dict[str, tuple[str, ...]] = {
    "land": ("Portugal", "Malta", "Panama", "Honduras", "Burundi", "Angola", "Laos", "Togo", "Sri Lanka", "Costa Rica"),
    "begriff": ("Mut", "Zufall", "Logik", "Ethik", "Moral", "Freiheit", "Glück", "Wahrheit", "Macht", "Neid"),
    "concetto": ("coraggio", "caso", "logica", "etica", "morale", "fortuna", "potere", "invidia", "memoria", "noia"),
}


def elsewhere(draws: Draws) -> Written:
    """A request in another language than English; the fewer people write it, the harder."""
    request, difficulty = draws.pick(_ELSEWHERE)
    text = Slots(draws, POOLS | _ELSEWHERE_POOLS).fill(request)
    return Written(text, difficulty, 120)
