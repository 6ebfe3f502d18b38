"""The phrases that refusals and boilerplate are told by: data, as regular expressions that ignore case.

`'` stands for any apostrophe.
"""

from __future__ import annotations

# What may stand before a refusal.
LEAD = (
    r"(?:(?:oh|no|well|hi|hello|hey|hmm|thanks|thank you[^.!?\n]{0,60}|i understand[^.!?\n]{0,80}|"
    r"i appreciate[^.!?\n]{0,60}|unfortunately|regrettably|however|but|while[^.!?\n]{0,60})(?: there)?[,.!:;]*\s+"
    r"(?:but\s+|however,?\s+)?){0,2}"
)
_SORRY = (
    r"(?:i(?:'m| am) (?:\w+ )?sorry|(?:very |so |terribly )?sorry|i (?:sincerely |must )?apologi[sz]e|"
    r"my (?:\w+ )?apologies|forgive me|i(?:'m| am) afraid(?: that)?|as much as i(?:'d| would) (?:like|"
    r"love) to(?: help)?)"
    r"(?: (?:for|that|to|you're|you are) [^.!?,\n]{0,80})?[,.;:—–-]*\s*(?:but\s+|however,?\s+|unfortunately,?\s+)*"
)
_NOT_ABLE = (
    r"i (?:can't|cannot|can not|can(?= not)|couldn't|won't(?: be able to)?|will not(?: be able to)?|am unable to|"
    r"am not (?:able|allowed|permitted|designed|programmed|equipped|capable of|in a position) ?(?:to)?|"
    r"must decline to)|"
    r"i'm (?:unable to|not (?:able|allowed|permitted|designed|programmed|equipped|capable of|in a position) ?(?:to)?)"
)
# What a refusal is about. A friend who can't come to a party refuses nothing that was asked of the model.
_DEED = (
    r"(?:(?:and will not|in good conscience,?|directly|really|actually|fully|ethically|legally|currently) )*"
    r"(?:assist|fulfil+|satisfy|comply|help(?: you)?(?: (?:with|to|out|in|by|create|find|you)\b|[.,!;]|$)|"
    r"help (?:that|this)|"
    r"provid|answer|respond|generat|produc|engag|discuss|offer|perform|execut|participat|promot|support|condone|"
    r"disclos|"
    r"reveal|speculat|predict|encourag|advis|accommodat|complet|process|browse|analy[sz]e|translat|summari[sz]|"
    r"verify|"
    r"creat(?:e|ing) (?:content|that|this|such|an?|any|images)|writ(?:e|ing) (?:that|this|such|an?|any|content|"
    r"about|for)|"
    r"do (?:that|this|so)\b|access|display|express|form (?:an? )?(?:personal )?opinion|hav(?:e|ing) (?:personal|"
    r"opinions)|"
    r"shar(?:e|ing) (?:that|this|such|any|personal|information|private)|tell you (?:about|what|which|the|who|when|"
    r"where)|"
    r"giv(?:e|ing) (?:you |out )?(?:any |specific )?(?:advice|information|instructions|medical|legal|financial|"
    r"that|this|"
    r"opinions)|open (?:links|files|urls|attachments)|see (?:images|pictures|photos)|view (?:images|pictures|the)|"
    r"feel |tast|continue (?:with|this)|recommend (?:any|specific|that))"
)
_MACHINE = (
    r"an? (?:\w+ )?(?:(?:ai|artificial intelligence|machine learning)(?: (?:language|chat|text))?(?: model|"
    r" assistant| chatbot|"
    r" system| program| bot)?|(?:large )?language model|(?:virtual|digital) assistant|chatbot)"
    r"(?: (?:developed|created|trained|made|designed|built) by [^,.\n]{1,30})?"
)
_DENIES = (
    r"[^.!?\n]{0,60}\b(?:can't|cannot|can not|don't|do not|doesn't|does not|am not|'m not|is not|isn't|unable|"
    r"won't|will not|"
    r"lack|have no|never)\b"
)
REFUSALS: tuple[str, ...] = (
    rf"(?:{_SORRY})?(?:{_NOT_ABLE}) ?{_DEED}",
    rf"(?:{_SORRY})?as {_MACHINE},? (?:i|my|it)\b{_DENIES}",
    rf"(?:{_SORRY})?(?:i'm|i am) {_MACHINE}(?:,| and\b| so\b| but\b){_DENIES}",
    rf"{_SORRY}(?:i don't have|i do not have|i have no) (?:access|the ability|any information|real|personal)",
    rf"{_SORRY}(?:it|this|that)(?: is|'s| would be) (?:not |in)appropriate",
    rf"(?:{_SORRY})?i(?: don't| do not|'m not| am not) (?:feel )?comfortable "
    r"(?:with\b|writ|discuss|provid|creat|shar|answer|help)",
    r"i (?:don't|do not) have (?:access to|the ability to|the capability|personal (?:opinion|experience|feeling|"
    r"preference|belief)|feelings(?! for)|opinions|real-?time)",
    r"i (?:must|have to|will have to|need to) (?:respectfully |politely )?(?:decline|refuse)",
    r"i refuse to |i(?:'d| would) (?:prefer|rather) not (?:to )?(?:answer|discuss|help|assist|shar|provid)",
    r"(?:please understand that )?(?:i(?:'m| am) (?:not )?programmed|my programming (?:does|prevents|prohibits))",
    r"(?:it (?:is|would be|wouldn't be|is not|isn't) (?:not |in)?appropriate|it(?:'s| is) not (?:possible|ethical)) "
    r"for me to",
    r"i(?:'m| am) (?:just|only) an? (?:ai|language model)",
    r"(?:that|this)(?:'s| is) not something (?:that )?i can",
    r"(?:this|your|that) request (?:violates|goes against|seems to (?:violate|be in violation))",
    # French
    r"(?:je suis )?(?:vraiment )?(?:désolée?|navrée?)[ ,.]+(?:mais )?(?:en tant qu|je ne (?:peux|suis)[^.!?\n]{0,40}"
    r"(?:aider|répondre|fournir|donner|génér|écrire|créer|accéder|capable|en mesure))",
    r"(?:malheureusement,? )?je ne (?:peux|suis)[^.!?\n]{0,30}(?:vous aider|t'aider|répondre à|fournir|en mesure|"
    r"génér)",
    r"en tant qu(?:e |')(?:modèle|ia\b|intelligence|assistante? (?:ia|virtuel))[^.!?\n]{0,60} (?:ne |n')",
    # German
    r"(?:(?:es )?tut mir (?:sehr )?leid|entschuldigung|leider)[ ,.]+(?:aber )?[^.!?\n]{0,30}(?:kann|darf|"
    r"bin)[^.!?\n]{0,60}"
    r"(?:helfen|antwort|erfüllen|unterstütz|bereitstell|geben|schreiben|erstell|nachkommen|in der lage)",
    r"als (?:eine? )?(?:ki\b|künstliche intelligenz|(?:großes )?sprachmodell)[^.!?\n]{0,60} (?:nicht|keine?[nr]?)\b",
    r"ich kann (?:dir|ihnen|ihnen leider|dir leider) (?:dabei|damit|hierbei) nicht",
    # Spanish, Italian, Portuguese
    r"(?:lo siento|lamentablemente|disculpa|perdón|lo lamento)[ ,.]+(?:mucho[ ,]+)?(?:pero )?(?:como (?:modelo|ia|"
    r"intelig)|"
    r"no (?:puedo|soy capaz)[^.!?\n]{0,20}(?:ayud|proporcion|cumpl|respond|gener|cre|dar|realiz|acced|escrib|ofrec))",
    r"no puedo (?:ayudar|proporcionar|cumplir|responder|generar|brindar)",
    r"como (?:un )?(?:modelo de lenguaje|ia\b|inteligencia artificial|asistente (?:de ia|virtual))[^.!?\n]{0,60} no ",
    r"(?:mi dispiace|purtroppo|spiacente|scusa)[ ,.]+(?:ma )?(?:come (?:modello|ia|intelli)|non (?:posso|"
    r"sono in grado)"
    r"[^.!?\n]{0,20}(?:aiut|forn|rispond|gener|soddisf|scriv|cre|dare|assist))",
    r"come (?:un )?(?:modello (?:di )?lingu|ia\b|intelligenza artificiale|assistente (?:ia|"
    r"virtuale))[^.!?\n]{0,60} non ",
    r"(?:desculp[ea]|sinto muito|lamento|infelizmente|peço desculpas?)[ ,.]+(?:mas )?(?:como (?:um )?(?:modelo|ia|"
    r"intelig)|"
    r"(?:eu )?não (?:posso|consigo|sou capaz)[^.!?\n]{0,20}(?:ajud|fornec|respond|ger|cumpr|escrev|cri|dar|realiz|"
    r"atend))",
    r"como (?:um |uma )?(?:modelo de linguagem|ia\b|inteligência artificial|assistente (?:de ia|"
    r"virtual))[^.!?\n]{0,60} não ",
    # Dutch, Polish, Turkish, Indonesian, Vietnamese
    r"(?:het spijt me|helaas)[ ,.]+(?:maar )?(?:ik )?kan (?:ik )?[^.!?\n]{0,40}(?:help|beantwoord|voldoen|geven|"
    r"schrijv|verstrek)",
    r"als (?:een )?(?:ai\b|(?:groot )?taalmodel|kunstmatige intelligentie)[^.!?\n]{0,60} (?:niet|geen)\b",
    r"(?:przykro mi|przepraszam|niestety)[ ,.]+(?:ale )?nie (?:mogę|jestem w stanie)",
    r"jako (?:model językowy|ai\b|sztuczna inteligencja)[^.!?\n]{0,60} nie ",
    r"(?:üzgünüm|özür dilerim|maalesef)[^.!?\n]{0,60}(?:yardımcı olamam|yapamam|veremem|edemem|sağlayamam)",
    r"(?:maaf|mohon maaf)[ ,.]+(?:tetapi |tapi |namun )?saya tidak (?:bisa|dapat)",
    r"(?:xin lỗi|rất tiếc|tôi xin lỗi)[ ,.]+(?:nhưng )?(?:tôi|mình) không thể",
    # Russian, Ukrainian
    r"(?:извините|простите|к сожалению|мне жаль|прошу прощения)[ ,.]+(?:но )?я не (?:могу|умею|имею)",
    r"я не могу (?:помочь|предоставить|ответить|выполнить)",
    r"как (?:языковая модель|ии\b|искусственный интеллект|нейросеть)[^.!?\n]{0,60} (?:не|нет)\b",
    r"(?:вибачте|на жаль|перепрошую)[ ,.]+(?:але )?я не можу",
    # Chinese, Japanese, Korean
    r"(?:我?(?:很|非常|十分)?(?:抱歉|对不起|對不起|遗憾)|不好意思)[，,。！!\s]{0,3}[^。！？\n]{0,30}(?:无法|無法|不能|没法|不可以)",
    r"作为(?:一个|一名|一款|一種)?(?:ai|人工智能|大?语言模型|大型语言模型|虚拟助手)[^。！？\n]{0,30}(?:没有|无法|不)",
    r"我(?:无法|不能|無法)(?:提供|帮助|协助|回答|满足|生成|为你|为您)",
    r"(?:大変|誠に)?申し訳(?:ありません|ございません|ない)[^。\n]{0,50}(?:ません|しかねます|かねます)",
    r"(?:すみません|ごめんなさい)[^。\n]{0,40}(?:できません|しかねます)",
    r"(?:私は)?ai(?:言語モデル|アシスタント|モデル)?(?:として|なので|であるため|ですので)[^。\n]{0,60}(?:ません|ない)",
    r"(?:죄송하지만|죄송합니다|미안하지만|유감스럽게도)[^.!?\n]{0,60}(?:수 없|수가 없|못 |어렵)",
    r"(?:저는 )?(?:ai|인공지능)(?: ?언어 ?모델)?(?:로서|이기 때문|이므로|으로서)[^.\n]{0,60}(?:않|없|못)",
    # Arabic, Persian, Hindi
    r"(?:عذر[اًا]*|آسف|أنا آسف|أعتذر|للأسف)[ ،,.]+(?:ولكن |لكن )?(?:لا أستطيع|لا يمكنني|لن أتمكن)",
    r"(?:كنموذج|بصفتي) (?:لغ|نموذج|ذكاء)",
    r"(?:متأسفم|متاسفم|متأسفانه|ببخشید)[ ،,.]+(?:اما |ولی )?[^.!?\n]{0,40}نمی.?توانم",
    r"(?:क्षमा करें|माफ़? ?की|माफ़? कर|मुझे खेद है)[^।\n]{0,80}(?:नहीं कर सकत|नहीं दे सकत|असमर्थ)",
)

_HERE = (
    r"(?:here(?:'s| is| are| you go| it is)|below (?:is|are)|i(?:'d| would) be (?:happy|glad|delighted) to|"
    r"i(?:'ll| will| can) (?:be happy|be glad|gladly|help|certainly|definitely))"
)
_REST = r"[^.!?:\n]{0,140}[.!:]+\s*"
_YES = (
    r"(?:certainly|sure(?: thing)?|of course|absolutely|definitely|gladly|with pleasure|no problem|alright|okay|"
    r"ok|yes)"
)
OPENERS: tuple[str, ...] = (
    rf"(?:certainly|sure(?: thing)?|of course|absolutely|definitely|gladly|with pleasure|"
    rf"no problem)\s?!+\s*(?:{_HERE}{_REST})?",
    rf"{_YES}[,.:!]? {_HERE}{_REST}",
    rf"i(?:'d| would) be (?:more than )?(?:happy|glad|delighted) to (?:help|assist|provide|explain|answer)?{_REST}",
    r"(?:that(?:'s| is) (?:an? )?|what (?:an? ))?(?:really |very |truly )?(?:great|good|excellent|fantastic|"
    r"fascinating|"
    r"interesting|wonderful|thoughtful|important) question[!.]+\s*",
    # Where it denies nothing; a refusal is one otherwise.
    rf"as {_MACHINE}, (?=i\b|my\b)(?!{_DENIES})",
    r"thank(?:s| you) for (?:your|the|this|asking(?: \w+)?)(?: \w+)? ?question[!.]+\s*",
    r"(?:bien sûr|certainement|avec plaisir|volontiers)\s?!+\s*(?:voici[^.!?:\n]{0,100}[.!:]+\s*)?",
    r"(?:natürlich|gerne?|selbstverständlich|klar)\s?!+\s*(?:hier (?:ist|sind)[^.!?:\n]{0,100}[.!:]+\s*)?",
    r"¡?(?:claro(?: que sí)?|por supuesto|desde luego|con gusto)\s?!+\s*(?:aquí[^.!?:\n]{0,100}[.!:]+\s*)?",
    r"(?:certo|certamente|ecco|volentieri|certo che sì)\s?!+\s*(?:ecco[^.!?:\n]{0,100}[.!:]+\s*)?",
    r"(?:claro|com certeza|com prazer|certamente)\s?!+\s*(?:aqui[^.!?:\n]{0,100}[.!:]+\s*)?",
    r"(?:natuurlijk|zeker|graag gedaan)\s?!+\s*(?:hier (?:is|zijn)[^.!?:\n]{0,100}[.!:]+\s*)?",
    r"(?:oczywiście|jasne)\s?!+\s*(?:oto[^.!?:\n]{0,100}[.!:]+\s*)?",
    r"(?:конечно|разумеется|с удовольствием)\s?!+\s*(?:вот[^.!?:\n]{0,100}[.!:]+\s*)?",
    r"(?:当然(?:可以)?|好的|没问题|當然)[！!]\s*(?:(?:以下|这|下面)[^。！：:\n]{0,60}[。！：:]\s*)?",
    r"(?:もちろん(?:です)?|承知(?:いた)?しました|かしこまりました)[！!。]\s*(?:以下[^。！：:\n]{0,60}[。！：:]\s*)?",
    r"(?:물론(?:입니다|이죠)|알겠습니다)[!.]\s*(?:다음[^.!:\n]{0,60}[.!:]\s*)?",
)

# Sentences at the very end.
CLOSERS: tuple[str, ...] = (
    r"(?:i )?(?:really )?hope (?:(?:this|that|it|these)(?: \w+){0,3} help|you (?:find|found) (?:this|it|"
    r"these) (?:\w+ )?(?:help|use))",
    r"(?:please )?let me know (?:if|whether|how|what)",
    r"(?:please )?(?:feel free to|don't hesitate to|do not hesitate to) (?:ask|reach|contact|let|share|message)",
    r"(?:and )?if (?:you|there)(?: \w+){0,3} (?:have|need|want|are|like|require) (?:\w+ ){0,3}"
    r"(?:question|help|assistance|clarification|information|detail|anything|example|support)",
    r"is there (?:anything|something) else",
    r"(?:i'm |i am )?(?:always )?happy to (?:help|assist)",
    r"would you like (?:me to|to know more|more)",
    r"do you (?:have any (?:other|more|further)|need (?:any )?(?:more|further|additional)|want me to)",
    r"j'espère que (?:cela|ça|ceci)",
    r"n'hésitez pas à",
    r"ich hoffe,? (?:das|dies)(?: hilft| ist| war)",
    r"(?:lass|lassen sie) (?:es )?mich wissen",
    r"¡?espero que (?:esto|te|le|isso|ajude|tenha)",
    r"no dudes en",
    r"spero che (?:questo|ti|le|sia)",
    r"fammi sapere",
    r"надеюсь, (?:это|что)",
    r"если у вас (?:есть|возникнут|будут)",
    r"希望(?:这|以上|对你|对您|能)",
    r"如果(?:你|您)(?:有|还有|需要)",
    r"(?:何か|他に)[^。\n]{0,30}(?:ご質問|質問|お気軽)",
    r"도움이 되[^.\n]{0,10}(?:바랍니다|좋겠)",
)

_TRAINED_UNTIL = (
    r"\bmy (?:last |latest |most recent )?(?:knowledge|training)(?: data)?(?: \w+)? ?"
    r"(?:cut-?off|update|was last|only|ends?\b|is limited|extends|goes)|\b(?:as of|since|until) my last (?:update|"
    r"training)"
)
# Sentences anywhere: what a model says of its training, and what a web page leaves around a text. Each with words that
# the text holds in any case, in small letters: looking for these first is what makes it fast.
LEFTOVERS: dict[str, str] = {
    "my knowledge": _TRAINED_UNTIL,
    "my training": _TRAINED_UNTIL,
    "my last": _TRAINED_UNTIL,
    "my latest": _TRAINED_UNTIL,
    "my most recent": _TRAINED_UNTIL,
    "subscribe": r"\b(?:click here to |please |like \w+ \w+ and |don't forget to |hit )?subscribe "
    r"(?:to (?:our|my)\b|to the newsletter|now\b|today\b|for (?:more|free)|button)",
    "newsletter": r"\b(?:sign up|register|join)(?: now| today| here)? (?:for|to) (?:our|the|my) (?:\w+ )?newsletter",
    "cookie": r"\b(?:(?:we|this (?:web)?site|our (?:web)?site|this page) uses? cookies|"
    r"(?:accept(?: all)?|manage|allow(?: all)?|reject(?: all)?) cookies\b|(?:our|accept \w+) (?:use of cookies|"
    r"cookie policy)|"
    r"wir verwenden cookies|utilise des cookies|utiliza(?:mos)? cookies|utilizziamo (?:i )?cookie)",
    "rights reserved": r"\ball rights reserved\b",
    "share th": r"\bshare this (?:article|post|page|story|recipe)? ?(?:on|with|via|:)",
    "follow us": r"\bfollow us on\b",
    "skip to": r"\bskip to (?:main |the )?(?:content|navigation)",
    "read more": r"(?:^|[.!?\n»]\s*)read more\s?(?::|»|…|\.\.\.|$|about)",
    "leave a": r"\bleave a (?:comment|reply) (?:below|in the)",
    "in the comments": r"\blet us know in the comments",
    "privacy policy": r"\bprivacy policy\s?[|·•]|[|·•]\s?privacy policy",
    "will not be published": r"\byour email address will not be published",
    "enable javascript": r"\bplease enable javascript",
    "click here": r"(?:^|[.!?\n]\s*)click here (?:to|for)\b",
    "like this video": r"\blike this video",
    "advertisement": r"^\s*(?:advertisement|sponsored content)\s*$",
}
