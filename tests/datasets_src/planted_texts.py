"""What the planted rows say. `<...>` are slots; every text is sound, and many look like a fault at a glance."""

from __future__ import annotations

TOPICS = ("tides", "sourdough", "solar panels", "chess openings", "coral reefs", "medieval trade", "sleep", "volcanoes")

SHORT: dict[str, tuple[str, ...]] = {
    "questions": (
        "What should one know about <topic>?",
        "Explain <topic> to a ten-year-old.",
        "Summarise the following in your own words.",
        "Give me some facts & figures on <topic>.",
        "How do I repair a <thing>?",
        "Write a short note to <name> about <topic>.",
        "who was first in <city>, and when",
        "Please rewrite this more politely: “Send the <thing> back.”",
        "Q: <number> + <small> = ?",
        "Describe <city> in the style of a travel guide.",
    ),
    "answers": (
        "Yes.",
        "No",
        "<number>",
        "<city>",
        "Positive",
        "B) <city>",
        "True, true, true, false.",
        "Sorry, no.",
        "I don't know.",
        "Sure.",
        "ha ha ha ha ha",
        "5 out of 5 ⭐⭐⭐⭐⭐",
        "👨\u200d👩\u200d👧\u200d👦 and 🏳️\u200d🌈, 👩🏽\u200d🚒 and ❤️\u200d🔥",
        "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",
    ),
}

# Distinct sentences that can be put together in any order.
ANSWERS: tuple[str, ...] = (
    "<name> moved to <city> in the spring and has not looked back since.",
    "The first thing to understand about <topic> is that they change slowly, then suddenly.",
    "A survey of <thousands> people found that about <small>% had heard of it.",
    "Experts recommend checking the <thing> at least twice a year, ideally before winter.",
    "It was <name>'s grandmother who noticed the pattern, long before anyone wrote it down.",
    "Prices rose from $<small>.50 to $<small>.99 within a single season.",
    "Mix everything in a large bowl, cover it, and let it rest for <small> minutes.",
    "The train from <city> leaves at <time> and arrives well before noon.",
    "In <date> a storm damaged the roof, and repairs took most of the year.",
    "Contrary to what many believe, neither salt nor sugar makes much of a difference here.",
    "“It isn’t the cold that matters,” <name> explained, “it’s the wind.”",
    "Three things are needed: time, a quiet place — and somebody who listens.",
    "The temperature reached 31 °C (±0.5), which is unusual this far north.",
    "According to the museum, the oldest <thing> in the collection dates from 1874.",
    "You can reduce the cost by sharing it with neighbours or by buying second hand.",
    "After the harvest, families gather in <city> to sing, dance, and settle old debts.",
    "Scientists compare samples from <small> sites before they publish a result.",
    "One café owner, <name>, keeps a naïve little painting of <city> above the counter.",
    "Where the river bends, the water slows down and drops the sand it carried.",
    "Learning <topic> takes practice; ten minutes a day beat two hours on a Sunday.",
    "The company, Smith & Sons, was sold for €<thousands> to a competitor.",
    "As of <date>, nobody had claimed the prize.",
    "Never store the <thing> near heat, and keep its manual where you can find it.",
    "A budget of <thousands> may sound generous, yet half of it went into permits.",
    "The committee voted <small> to <small>, with one abstention.",
    "Of course, not every reader will agree with the author’s choice.",
    "Finally, write down what worked and what did not, so that next time is easier.",
    "I can't imagine a better place for it than the old market square.",
    "Certainly one of the strangest objects is a clock that runs backwards.",
    "Sleep, food and light all shift the body's inner clock by up to <small> minutes a day.",
)

FIGURES: tuple[str, ...] = (
    "Your order <order> was shipped on <date>.",
    "The reference number is <notcard>; please quote it.",
    "ISBN <isbn>, <small>th edition, <small>–<small> pages.",
    "Install version <version> or later; v<version> has a known defect.",
    "Meet at <coordinates> at <time>.",
    "π ≈ 3.14159265358979 and e ≈ 2.71828182845905, hence π² + e² ≈ 17.2586.",
    "∑_{k=1}^{n} k² = n(n+1)(2n+1)/6, ∀n ∈ ℕ; also √2 ∉ ℚ.",
    "x + 12345678 = <number>, so x = -<number>.",
    "The commit <hex> fixed it; the request id was <uuid>.",
    "The population grew from <spaced> to <spaced> in a decade.",
    "Use $E = mc^2$ and \\(\\frac{\\partial f}{\\partial x} = <decimal>\\).",
    "Sizes: 100 200 300 400 500 600, then 1000-2000-3000.",
    "The score was 3-2, 4-4, 0-0 (2-1 after extra time) in 1998-99.",
    "See Journal of Things 45(3), 1234-1240, and pp. 1012–1034.",
    "Open the router at http://<homeip>/ or http://localhost:8080.",
    "The subnet 192.168.1.0/24 has the mask 255.255.255.0; loopback is ::1.",
    "Chapter <version> of the standard, section 4.2.1.3, covers this.",
    "It takes 00:03:25 from start to finish; the record is 12:34:56.789.",
    "Fractions such as 1/3, 22/7 and 355/113 approximate it to <decimal>.",
    "A UNIX time of 1700000000 is 2023-11-14; in milliseconds 1700000000000.",
    "Lottery: 04 11 19 27 33 45, bonus 08.",
    "The barcode reads 4006381333931, the part is 0012-3456-7890.",
    "The ratio 16:9, the scale 1:25000 and the dose 2 x 250 mg are standard.",
    "Rated 4.5/5 by <thousands> users; No. 555 on the list of 2,000.",
    "The MAC address 00:1A:2B:3C:4D:5E belongs to the old <thing>.",
    "Call 911 or 112 in an emergency.",
    "The ZIP codes 90210-1234 and 10001 are in different states.",
    "Box drawing: ┌──┬──┐ │ a │ b │ └──┴──┘ and blocks ▁▂▃▄▅▆▇█.",
    "H₂O boils at 100 °C = 212 °F; 1 Å = 10⁻¹⁰ m; µ = 10⁻⁶.",
    "Contact support@example.com or visit https://www.example.org/a?b=1&c=2.",
    "Follow @<name>_writes, or mention @someone@mastodon.example.",
    "The flight LH 430 on <date> costs <thousands> points.",
    "Cells A1:B12 hold 0.1 0.25 0.333 0.5, and so on up to 12.500.000 units.",
    "Model numbers: 5500-1234, SM-G991B, WD40EFRX-68N32N0, 74HC595.",
    "Tax id DE123456789 and registration HRB 12345 B are printed below.",
)

# Question and answer: text that talks about what the checks look for.
TALK: tuple[tuple[str, str], ...] = (
    (
        "Write a message that declines a party invitation.",
        "I'm sorry, but I can't make it to your party on Saturday. I hope you have a lovely time, <name>!",
    ),
    ("My dog died yesterday.", "I'm sorry to hear that. Losing a companion of many years hurts; be kind to yourself."),
    (
        "How do chatbots refuse?",
        "Many chatbots answer dangerous requests with a stock phrase such as “I'm sorry, but I can't help with "
        "that.” "
        "Others explain why they decline.",
    ),
    ("Write a review of a book on <topic>.", "I cannot recommend this book enough. <name> writes with wit and care."),
    (
        "Start a story with excitement.",
        "I can't wait for the summer fair in <city>! Every year the whole street comes.",
    ),
    (
        "Begin a blog post by a researcher.",
        "As an AI researcher in <city>, I spend most of my days reading error messages and drinking tea.",
    ),
    ("Is the sea salty?", "Sure enough, it is: about 35 grams of salt in every litre, washed out of rocks by rain."),
    (
        "Complain to a landlord.",
        "Dear <name>, I am unable to use the <thing> since it was moved. Please repair it before <date>.",
    ),
    ("Does it rain in <city>?", "Certainly not in July, but of course October is another matter."),
    (
        "What is a cookie?",
        "A cookie is a small text that a website stores in your browser. Sites use cookies to keep you signed in; "
        "privacy laws ask them to obtain consent.",
    ),
    (
        "How do I get people to subscribe to a newsletter?",
        "Offer something of worth, keep the form short, and tell readers how often you write. <name> doubled her "
        "list "
        "by promising one recipe a week.",
    ),
    (
        "What is a language model's knowledge cutoff?",
        "It is the date of the newest documents that the model was trained on. It can't know about later events "
        "unless "
        "it is given a search tool.",
    ),
    (
        "Explain HTML entities.",
        "In HTML, &amp; stands for an ampersand and &lt; for the less-than sign; browsers show them as & and <.",
    ),
    (
        "Translate to German: I hope this helps you sleep.",
        "Ich hoffe, dass dir das beim Einschlafen hilft.",
    ),
    (
        "What does “sorry” mean?",
        "Sorry is an adjective. It expresses regret, as in “I'm sorry I can't come”, or pity, as in “a sorry sight”.",
    ),
    (
        "What is two-factor authentication?",
        "Besides the password you enter a token that changes every 30 seconds. Never share your password: nobody "
        "needs it.",
    ),
    (
        "Write an apology to a customer.",
        "I'm sorry that your <thing> arrived damaged, <name>. A new one will leave our warehouse in <city> today.",
    ),
    (
        "Continue: The robot spoke.",
        "The robot spoke. “I am unable to comply,” it said, and folded its arms. <name> laughed until it gave in.",
    ),
    (
        "Write the chorus of a folk song.",
        "Row, row, over the bay,\nthe wind is cold and the sky is grey.\nBring me home by the end of day,\n"
        "row, row, over the bay.\n\nThe nets are full and the lamps are lit,\nmy mother waits with a coat to knit,\n"
        "Bring me home by the end of day,\nrow, row, over the bay.",
    ),
    ("Unfortunately?", "Unfortunately, the bridge is closed until <date>; take the ferry from <city> instead."),
)

DIALOGUES: tuple[tuple[str, ...], ...] = (
    (
        "hi, my order <order> never came",
        "I'm sorry to hear that, <name>. When did you place it?",
        "on <date>",
        "Thank you. I found it: it left our warehouse on <date> and is now in <city>. It should reach you tomorrow.",
    ),
    (
        "Can I return a <thing>?",
        "You can, within <small> days and in its original box. Do you still have the receipt?",
        "No…",
        "Then the order number will do; it has the form 123-1234567-1234567.",
        "ok it's <order>",
        "Found it. A label is on its way to you, and your money comes back within a week.",
    ),
    (
        "Let's play twenty questions.",
        "Great, I love that game. I am thinking of something. Ask away!",
        "Is it bigger than a <thing>?",
        "Yes, much bigger.",
        "Is it in <city>?",
        "Yes! You are getting warm.",
    ),
    (
        "I feel lonely since I moved to <city>.",
        "That sounds hard. Moving takes away the small talk that carried us. Is there somebody there whom you like?",
        "My neighbour <name> seems nice.",
        "What a good start. You could ask whether <name> would like a coffee on Sunday.",
    ),
)

CODE: tuple[tuple[str, str], ...] = (
    (
        "Multiply two matrices in numpy.",
        "```python\nimport numpy as np\n\ndef attention(q, k, v):\n    scores = q@k.transpose(-2, -1)\n"
        "    return scores@v.data\n```\nThe operator `@` is the matrix product; `a@b.T` works too.",
    ),
    (
        "Print a header in Python.",
        'print("=" * 40)\nprint("Report")\nprint("=" * 40)\nprint()\nprint("Name: <name>")\nprint("=" * 40)\nprint()\n'
        'print("City: <city>")\nprint("=" * 40)\nprint()\nprint("Done")\nprint("=" * 40)\nprint()\nprint("End")\n',
    ),
    (
        "Read an API key from the environment.",
        'import os\n\napi_key = os.environ["SERVICE_API_KEY_V2"]\ntoken = get_token(user_id=12345, scope="read")\n'
        'password = getpass.getpass("Password: ")\nsecret = config.secrets.load("primary-2024")\n',
    ),
    (
        "Show a config file.",
        "```yaml\nversion: <version>\napi_key: YOUR_API_KEY_HERE\npassword: ${DB_PASSWORD}\ntoken: <your-token>\n"
        "image: registry.local/app:2.10.3\n```",
    ),
    (
        "Escape a string for HTML in JavaScript.",
        "```js\nconst escape = (s) => s.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');\n```\n"
        "Use it before you write into `innerHTML`.",
    ),
    (
        "Clone the repository.",
        "Run `git clone git@github.com:someone/project.git`, then `npm install react@18.2.0 left-pad@1.3.0`. The "
        "icon is "
        "is `logo@2x.png`.",
    ),
    (
        "Write a C++ loop.",
        "```cpp\nstd::vector<int> v{1, 2, 3};\nfor (auto it = v.begin(); it != v.end(); ++it) {\n"
        "    std::cout << *it << std::endl;\n}\nfor (auto it = v.rbegin(); it != v.rend(); ++it) {\n"
        "    std::cout << *it << std::endl;\n}\n```",
    ),
    (
        "A page with two paragraphs.",
        "<html>\n<body>\n<p>Salt &amp; pepper</p>\n<p>&copy; 2024 <name>&nbsp;Ltd.</p>\n</body>\n</html>",
    ),
    (
        "Set up a test for the login.",
        "@pytest.fixture\ndef user():\n    return User(name='<name>', password='password', token='test')\n\n\n"
        "def test_login(user):\n    assert login(user.name, user.password)\n    assert not login(user.name, "
        "'wrong')\n",
    ),
    (
        "Pad a matrix with zeros.",
        "[[0, 0, 0, 0, 0],\n [0, 1, 2, 3, 0],\n [0, 4, 5, 6, 0],\n [0, 0, 0, 0, 0]]",
    ),
    (
        "Show the directory tree.",
        "project\n├── src\n│   ├── main.py\n│   └── util.py\n└── tests\n    ├── test_main.py\n    └── test_util.py",
    ),
    (
        "Fill in the form in SQL.",
        "INSERT INTO t VALUES (1, 'a', 0);\nINSERT INTO t VALUES (2, 'b', 0);\nINSERT INTO t VALUES (3, 'c', 0);\n"
        "INSERT INTO t VALUES (4, 'd', 0);\nINSERT INTO t VALUES (5, 'e', 0);\nINSERT INTO t VALUES (6, 'f', 0);\n"
        "INSERT INTO t VALUES (7, 'g', 0);\nINSERT INTO t VALUES (8, 'h', 0);\nINSERT INTO t VALUES (9, 'i', 0);",
    ),
)
