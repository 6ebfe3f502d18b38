"""Genuine sentences in many languages, with the marks that careless checks take for damage.

Invisible characters that belong (Persian, Hindi, Thai, emoji) are written as escapes, so that they can be seen here.
"""

from __future__ import annotations

SENTENCES: dict[str, tuple[str, ...]] = {
    "en": (
        "The naïve coöperation of the two façades surprised even the curator of the museum.",
        "Most of the river’s water comes from melting snow, which is why it rises in late spring.",
        "“We never expected to finish on time,” she said—and yet they did.",
        "A good loaf needs flour, water, salt, and above all patience.",
        "The committee postponed its decision until the figures could be checked again.",
        "Bees find their way back by the position of the sun, even behind thin clouds.",
    ),
    "fr": (
        "Le CAFÉ… quel endroit charmant, disait-elle en regardant la pluie tomber sur les pavés.",
        "Où êtes-vous allés cet été ? Nous avons séjourné près de l’océan, à côté d’un vieux phare.",
        "L’élève a répondu : « Ça dépend des années », puis il s’est tu.",
        "Les œufs brouillés se cuisent lentement, avec un peu de crème et de ciboulette.",
        "«LIBERTÉ» est gravé au-dessus de la porte; «ÉGALITÉ» aussi.",
        "Il faut ajouter 2 000 € de frais, soit 12,5 % du prix total.",
    ),
    "de": (
        "Die Straße führt über eine schmale Brücke, unter der im Frühjahr das Wasser rauscht.",
        "„Das hätte ich nicht gedacht“, sagte er und schloss leise die Tür.",
        "Für den Teig braucht man Mehl, Eier, etwas Öl und eine Prise Salz.",
        "Übermäßige Größe war schon immer ein Ärgernis für die Gärtner des Schlosses.",
        "Die Auflage wurde erhöht, weil die Nachfrage größer war als erwartet.",
        "Im Winter heizen viele Menschen noch mit Holz, obwohl es aufwendig ist.",
    ),
    "es": (
        "¿Qué hora es? Son las tres y media, según el reloj de la estación.",
        "La niña preguntó por qué el cielo cambia de color al atardecer.",
        "ESPAÑA… un país de mil caminos, decía el «Códice» de 1142.",
        "Mañana lloverá en el norte, así que conviene salir temprano y llevar abrigo.",
        "El pan se hornea durante cuarenta minutos hasta que la corteza está dorada.",
        "Los pingüinos no vuelan, pero nadan con una rapidez sorprendente.",
    ),
    "it": (
        "Perché la città è così silenziosa? È domenica mattina e tutti dormono ancora.",
        "«CITTÀ» e «LIBERTÀ»: due parole incise sul marmo bianco della piazza.",
        "Per preparare il sugo servono pomodori maturi, basilico e un filo d’olio.",
        "Il treno delle otto è in ritardo di venti minuti a causa della nebbia.",
        "Più si sale verso il rifugio, più l’aria diventa fresca e leggera.",
    ),
    "pt": (
        "NÃO é fácil explicar a razão, mas o coração não mente nunca.",
        "São Paulo é a maior cidade do país; o avô dela morava à beira do rio.",
        "A AÇÃO… assim começava o manifesto, escrito à mão em papel amarelo.",
        "Amanhã vamos à praia se a previsão do tempo não mudar outra vez.",
        "O pão de queijo deve ser servido quente, logo que sai do forno.",
    ),
    "nl": (
        "De coöperatie kocht drie ton aardappelen voor de winter en verdeelde ze eerlijk.",
        "Gisteren fietsten we langs de dijk, terwijl de wind uit het westen kwam.",
        "Het museum is op maandag gesloten, maar de tuin blijft gewoon open.",
        "Hij vroeg zich af waarom niemand de brief had beantwoord.",
    ),
    "pl": (
        "Wczoraj wieczorem padał deszcz, więc zostaliśmy w domu i graliśmy w szachy.",
        "„Żółw idzie powoli, ale zawsze dociera do celu” — mówiła babcia.",
        "Książka leży na półce obok okna, tam gdzie ją położyłeś.",
        "Zażółć gęślą jaźń to zdanie, które zawiera wszystkie polskie znaki.",
    ),
    "cs": (
        "Příliš žluťoučký kůň úpěl ďábelské ódy, napsal žák na tabuli.",
        "Vlak do Brna odjíždí z třetího nástupiště za deset minut.",
        "Babička pekla každou neděli koláče s mákem a švestkami.",
    ),
    "sv": (
        "Åsa gick över ån för att hämta ägg och mjölk hos grannen.",
        "På vintern går solen ner redan klockan tre på eftermiddagen.",
        "Det är viktigt att läsa instruktionerna noga innan man börjar.",
    ),
    "tr": (
        "İstanbul’da bahar geldiğinde boğazın iki yakası da erguvanlarla kaplanır.",
        "Çocuklar okuldan çıkınca doğruca parka koştular ve akşama kadar oynadılar.",
        "Kahvenin yanında küçük bir bardak su içmek eski bir gelenektir.",
    ),
    "vi": (
        "Hà Nội mùa thu có hương hoa sữa thoang thoảng trên những con phố cũ.",
        "Người ta nói rằng học một ngôn ngữ mới cần rất nhiều kiên nhẫn và thời gian.",
        "Món phở ngon phải có nước dùng trong, bánh mềm và rau thơm tươi.",
        "NÃO BỘ con người rất phức tạp, và cô ấy mỉm cười khi đọc lá thư.",
    ),
    "ru": (
        "Сегодня утром мы долго шли вдоль реки, пока не показался старый мост.",
        "«Это было давно», — сказал он и закрыл книгу.",
        "Чтобы приготовить суп, нужны свёкла, капуста, картофель и немного терпения.",
        "Река Сура и озеро Ряпушкино замёрзли раньше обычного.",
        "Преподаватель объяснил, почему ответ оказался неправильным.",
    ),
    "uk": (
        "Її бабуся щоранку ходила до криниці, що стояла край села.",
        "Під’їзд був темний, але з вікна лилося тепле світло.",
        "Щоб спекти хліб, потрібні борошно, вода, сіль і час.",
    ),
    "el": (
        "Το καλοκαίρι η θάλασσα είναι ήρεμη και το νερό ζεστό μέχρι αργά το βράδυ.",
        "Η γιαγιά μου έλεγε ότι η υπομονή είναι η μητέρα της σοφίας.",
        "Το βιβλίο αυτό εξηγεί με απλά λόγια πώς λειτουργεί ένας υπολογιστής.",
    ),
    "zh": (
        "春天来了，公园里的樱花都开了，许多人带着孩子来散步。",
        "学习一门新的语言需要耐心，也需要每天坚持练习。",
        "这座桥建于一九五七年，全长一千六百七十米。",
        "他把书放回书架，轻轻地关上了灯。",
        "烤面包的时候要注意火候，否则表面会烧焦。",
    ),
    "ja": (
        "春になると、川沿いの桜がいっせいに咲き始めます。",
        "新しい言語を学ぶには、毎日少しずつ続けることが大切です。",
        "この橋は百年前に建てられ、今でも多くの人に使われています。",
        "彼女は静かに本を閉じて、窓の外を眺めた。",
    ),
    "ko": (
        "봄이 오면 강가를 따라 벚꽃이 한꺼번에 피어납니다.",
        "새로운 언어를 배우려면 매일 조금씩 연습하는 것이 중요합니다.",
        "그는 조용히 책을 덮고 창밖을 바라보았다.",
    ),
    "ar": (
        "في فصل الربيع تتفتح الأزهار على ضفاف النهر ويخرج الناس للتنزه.",
        "يحتاج تعلم لغة جديدة إلى الصبر والتدريب كل يوم.",
        "قال المعلم: «العلم نور»، ثم كتب العنوان على السبورة.",
    ),
    "fa": (
        "او هر روز کتاب می\u200cخواند و به خانه\u200cهای قدیمی شهر علاقه دارد.",
        "بچه\u200cها در حیاط بازی می\u200cکنند و مادربزرگ چای می\u200cنوشد.",
        "نمی\u200cدانم چرا قطار امروز دیر کرده است.",
    ),
    "he": (
        "בבוקר הלכנו לאורך הנחל עד שהגענו לגשר הישן.",
        "הספר מסביר במילים פשוטות איך המחשב עובד (גרסה 2)\u200f.",
        "סבתא שלי תמיד אמרה שסבלנות היא אם החוכמה.",
    ),
    "hi": (
        "वसंत में नदी के किनारे फूल खिलते हैं और लोग घूमने निकलते हैं।",
        "क्\u200dष और श्\u200dर जैसे संयुक्ताक्षर हिन्दी में बहुत आम हैं।",
        "नई भाषा सीखने के लिए हर दिन अभ्यास करना ज़रूरी है।",
    ),
    "th": (
        "เมื่อ\u200bฤดูใบไม้ผลิ\u200bมาถึง ดอกไม้ริมแม่น้ำก็เริ่มบาน",
        "การเรียนภาษาใหม่ต้องใช้ความอดทนและการฝึกฝนทุกวัน",
        "เขาปิดหนังสืออย่างเงียบ ๆ แล้วมองออกไปนอกหน้าต่าง",
    ),
    "id": (
        "Setiap pagi ayah membaca koran sambil minum kopi di teras rumah.",
        "Belajar bahasa baru membutuhkan kesabaran dan latihan setiap hari.",
        "Jembatan ini dibangun seratus tahun yang lalu dan masih dipakai sampai sekarang.",
    ),
    "fi": (
        "Äiti keitti aamulla puuroa, ja lapset söivät sitä marjojen kanssa.",
        "Talvella järvi jäätyy niin paksusti, että sen yli voi ajaa autolla.",
        "Uuden kielen oppiminen vaatii kärsivällisyyttä ja päivittäistä harjoittelua.",
    ),
    "ro": (
        "Când a venit primăvara, râul și-a ieșit din matcă și a inundat grădina.",
        "ÎN „ROMÂNIA” se vorbește o limbă romanică, înrudită cu italiana.",
        "Bunica făcea în fiecare duminică plăcinte cu mere și scorțișoară.",
    ),
    "hu": (
        "Az öreg híd alatt a folyó csendesen folyik tovább a város felé.",
        "Árvíztűrő tükörfúrógép — ezt írta a táblára a tanár.",
        "Nagymamám minden vasárnap almás rétest sütött az unokáinak.",
    ),
    "is": (
        "Það er gott að drekka heitt kaffi þegar snjórinn fellur úti.",
        "ÞAÐ stendur á skiltinu að vegurinn sé lokaður til áttunda maí.",
        "Hún las bókina tvisvar og skrifaði síðan langt bréf um hana.",
    ),
}
