using System.Collections.Frozen;

namespace Uniscale.Corpus.Cleaning;

/// <summary>
/// Tells languages apart by script, and those of the Latin script by their most frequent words. Made for choosing training text, where
/// English and Chinese matter
/// most: source code, tables and lists of names are "other".
/// </summary>
internal static class LanguageClassifier
{
    public const string Other = "other";

    /// <summary>Characters that are looked at, from the beginning: more change no answer.</summary>
    private const int Inspected = 20_000;

    /// <summary>A Chinese character says as much as about three letters.</summary>
    private const int LettersPerCharacter = 3;

    /// <summary>Share of the letters that the prevailing script must have.</summary>
    private const double Prevailing = 0.4;

    /// <summary>Share of the words that must be frequent words of the language; running text has 0.3 to 0.5, code less than 0.05.</summary>
    private const double FrequentWords = 0.08;

    private static readonly Dictionary<Script, string> ByScript = new()
    {
        [Script.Han] = "zh",
        [Script.Kana] = "ja",
        [Script.Hangul] = "ko",
        [Script.Cyrillic] = "ru",
        [Script.Greek] = "el",
        [Script.Arabic] = "ar",
        [Script.Hebrew] = "he",
        [Script.Devanagari] = "hi",
        [Script.Thai] = "th",
    };

    private static readonly string[] LatinLanguages = ["en", "de", "fr", "es", "it", "pt", "nl", "pl"];

    private static readonly FrozenDictionary<string, int> Profiles = Profile(
        "the of and to in is that for it with as was on are be this by or not from at an which have can if will you has but they",
        "der die und das den von zu mit ist nicht ein eine auf des dem für sich auch werden wird als sind oder bei nach wenn kann aus",
        "le la les des et est une dans que pour pas sur avec qui par plus ce sont au du vous cette peut être ou mais nous en il",
        "el los las del que una para con por es como más este se su al lo pero esta son también puede sus fue ser y en está",
        "il di che la per una non con del è sono le si della dei nel come più alla questo gli anche da ma nella delle essere può",
        "os que uma para não com do da em por mais como dos das são ao pela este é também você seu ser foi pode na no um",
        "het een van dat niet zijn voor met op aan de ook naar wordt deze bij als worden kan maar uit heeft dit er door",
        "nie jest się na że do przez dla oraz jak jako które tego można lub od są tym po być przy tak z w"
    );

    private static readonly FrozenDictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> Lookup = Profiles.GetAlternateLookup<
        ReadOnlySpan<char>
    >();

    /// <summary>All answers.</summary>
    public static IReadOnlyList<string> Languages { get; } = [.. LatinLanguages, .. ByScript.Values, Other];

    /// <summary>The language of a text as an ISO 639-1 code, or "other".</summary>
    public static string Classify(ReadOnlySpan<char> text)
    {
        text = text[..Math.Min(text.Length, Inspected)];
        Span<int> letters = stackalloc int[Enum.GetValues<Script>().Length];
        foreach (char c in text)
            letters[(int)Scripts.Of(c)]++;
        letters[(int)Script.None] = 0;
        letters[(int)Script.Han] *= LettersPerCharacter;
        letters[(int)Script.Kana] *= LettersPerCharacter;
        letters[(int)Script.Hangul] *= LettersPerCharacter;

        int all = 0,
            largest = 0;
        for (int script = 0; script < letters.Length; script++)
        {
            all += letters[script];
            largest = letters[script] > letters[largest] ? script : largest;
        }
        // Japanese is written with more Chinese characters than syllables.
        bool isJapanese =
            letters[(int)Script.Kana] * 5 > letters[(int)Script.Han]
            && letters[(int)Script.Kana] > 0
            && largest is (int)Script.Han or (int)Script.Kana;
        if (all == 0 || letters[largest] < Prevailing * all)
            return Other;
        if (isJapanese)
            return "ja";
        return (Script)largest == Script.Latin ? LatinLanguage(text) : ByScript.GetValueOrDefault((Script)largest, Other);
    }

    private static string LatinLanguage(ReadOnlySpan<char> text)
    {
        Span<int> hits = stackalloc int[LatinLanguages.Length];
        Span<char> lower = stackalloc char[16];
        int words = 0;
        for (int i = 0; i < text.Length;)
        {
            int start = i;
            while (i < text.Length && char.IsLetter(text[i]))
                i++;
            int length = i++ - start;
            if (length == 0)
                continue;
            words++;
            if (length > lower.Length)
                continue;
            text.Slice(start, length).ToLowerInvariant(lower);
            int languages = Lookup.TryGetValue(lower[..length], out int found) ? found : 0;
            for (int language = 0; languages != 0; language++, languages >>= 1)
                hits[language] += languages & 1;
        }
        int best = 0;
        for (int language = 1; language < hits.Length; language++)
            best = hits[language] > hits[best] ? language : best;
        return hits[best] > FrequentWords * words ? LatinLanguages[best] : Other;
    }

    /// <summary>Word to the set of its languages, a bit each.</summary>
    private static FrozenDictionary<string, int> Profile(params string[] words)
    {
        var profile = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int language = 0; language < words.Length; language++)
            foreach (string word in words[language].Split(' '))
                profile[word] = profile.GetValueOrDefault(word) | (1 << language);
        return profile.ToFrozenDictionary(StringComparer.Ordinal);
    }
}
