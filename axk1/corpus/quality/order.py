"""Whether words stand in order: how well the ending of each follows that of the one before.

After an object (을, 를) comes a verb sooner than another object; after a sentence's end (다) a topic. The table holds,
for the 47 most frequent last syllables and all others, how much more often than by chance one follows the other in
Korean statutes, decisions, documentation and prose, each kind with the same weight. Shuffled words score about 0.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["order_of"]

# In this order; class 0 is every other.
_SYLLABLES = "는다의을에를이로한은고가서지수할여기과도게나된와및인면그른해라어조야법자만우용며리터적정시트스"
# A row per ending, a letter per ending that follows: a = exp(-2) times as often as by chance, m = as often, y = exp(2).
_TABLE = """
nljomonmmimknnmoghlmmjjlnsmikeckkojpnlemimnjlmno
mijoonnoojmgnnlddaippmliocndpkbdfbdonowkinnpilno
onamhllqkmqkmojceajlmksjnglloiaffuannsalcmnllmpo
njggrpqoniodpmjeaairnhlkqarabhacceainjqngolsqkmn
kpqadeabppitejpnvvsdlspacaercctfoitakleqrideqpfd
jojfjbiihwcljknanvieimjrgaipjywysapbfjaimgfghmgi
kopbbeaapogsdjpawvrdirpacaitacuetouajiavpkcgsphh
mopklklimlnqinoajimhlpnrjamqlifmranjjlsgpjkjjmjf
lpqjlglkhnhqkjnasssmkonskbknmkqbsarfkkckrlhjroji
njhopmqoojrfomkdaahongjcmapbdfgcdcblpmukelorkgmk
nfipnnmopjjkonmdeakqmmmhpenaqkhefmdtmnqjjnrqjnmo
moqklkkmkmlnmlnarjnkqmlikfmpskicleniknafskkjhmih
mopjlkkjnmiqhkqakgnikqpsijnsmigksbonlmggpkmjlpkk
nnjmnjomookkmhlcpfnlimlrmjmjpjfdjelkmienmnmnmnoo
koqllkmhjnqsjhjamhohnopfiolxheiheinhkoagqkjgeggg
irxejegfiadnefkcgamffpjaclaiaaablajdfqadvheaddgf
iijfgefhhdcdpbhyaaaatbfadacaaaaaaaaaekqafcefajeb
mkjoompmmphlokjbomilhrlpmdmktkgaheqnndamhnoommmm
jlnnjtljjphiipiaawnikhgfgokecfycfcbgiibolgmdljql
mhkonmmsllthjijbgoiikoipihmgskeamdkjkleifrjqiknl
lktlkijnlllsljqaodjjlpnfomlfrhfgmalhhrfgslilepjf
jnrgmdkijmerjjqaumrfjmpugagvnemgtayemmafrkcigjdd
mmepnnnomlnjolmcmcmlmommpanjwodclcjnlibmcnmpllkm
mkhppopnrbncnnieaahpncidobmachabebbgqoxlfqsnhjqo
mijomlnqmmvgmjjcinkfkodrialfrkiclcijplfghulohinm
ogapltnhgaldkmkheamnmgaepbkbthdaghaupearaspqpkrp
mmjnqnoonangpnhdaaiqoklcqnphgabjidfloowklnppjkpp
mllnlkoqljoirmjbfajqlmkjoikatkabdcbklhbmdqnnjqqp
kiarrtpoldmapnfaaaeqqhjjqgpaaceaaaagkidnahnnmnhj
nibtpoplnfldoojdabgqnjlaoapababaeaaereimalpnmijl
nlommjoknlimnmlandlmlomsnhlohjhhmanaplejonnnomnn
kksonkomklmjmjhaphglopmtlalgrifgkanmmjaholomjhfj
lppkljkmkgmomkpaeannpmpinimwohigteogmlhmskllijmm
qfascnghbbldjnhaaaghdakgitgachebbyavmdapaimsnkoi
bnyaaaaafaapaakaxahafagaacafaaaacaaadlaayaaaaaaa
mdajdyedaaedfqeaaaaghacafraagaasayaojeahabqdjeff
mpiqlnnkldkgnndghaklkjkbmuojjaapfidnuhckglpgymlr
mnmnkjjomkmlnjicrfkmqnnilbnsrneykdmmjlcqpjkmjomi
nminlmnokmnipmifjakljmmlnnnawofdaodrnpcnjmplikom
oomlnmkjhjibinradajjgangirntgbafmholljankinjinkl
nneokllpmmognmmbhanqokokrepfumddkghjmmfkepopkoko
mninnnollhmjnnlakerlnqkonvlilaejslonliamjqnmljpn
nkhoomommilimotchirliilnmkodlakiihkehmcjipohfnos
kjeospqqpanfqmgcaahsofmapnqabafgfjdhjjajmppyjenh
kmskmnlkgdjejlpeaakmialyjwipiaajloprklalcjjhmnol
mnnlmlmllijlnmrepinkkmnqmrkrkhmgmhtkkkcmjvolorln
mlhnonrjnakeoriheatmldhinslefaaelfgcrmamdqqiklwv
nlgnmoqmlaleprgeaaomjajcqsjhlaafnnhgqkamjqveimry
"""


def _scores() -> NDArray[np.float32]:
    codes = np.array([[ord(letter) for letter in row] for row in _TABLE.split()])
    return ((codes - ord("m")) / 6).astype(np.float32)


def _classes() -> NDArray[np.uint8]:
    table = np.zeros(1 << 16, np.uint8)
    table[[ord(syllable) for syllable in _SYLLABLES]] = np.arange(1, len(_SYLLABLES) + 1)
    return table


_SCORES, _CLASSES = _scores(), _classes()


def order_of(last_W: NDArray[np.uint16], text_W: NDArray[np.int64], texts: int) -> NDArray[np.float64]:
    """Of each text, the mean score of its neighbours in last_W, the last syllables of the words; 0 for less than two.

    text_W: the number of the text that a word stands in, rising.
    """
    classes_W = _CLASSES[last_W]
    inside = text_W[:-1] == text_W[1:]
    of = text_W[:-1][inside]
    sums = np.bincount(of, _SCORES[classes_W[:-1][inside], classes_W[1:][inside]], minlength=texts)
    return sums / np.maximum(1, np.bincount(of, minlength=texts))
