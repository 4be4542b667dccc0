namespace Uniscale.Corpus.Cleaning;

/// <summary>
/// A word of a text: a run of letters and digits with their marks, or one character of a script without spaces with its marks.
/// </summary>
/// <param name="Hash">Of the word in lower case.</param>
/// <param name="Start">Its first character.</param>
/// <param name="Length">In characters.</param>
internal readonly record struct Word(ulong Hash, int Start, int Length);

/// <summary>Splits text into words. The hashes are part of no format: they live as long as one cleaning.</summary>
internal static class Words
{
    private const ulong Prime = 0x9E3779B97F4A7C15;

    /// <summary>Appends the words of <paramref name="text"/>.</summary>
    public static void Split(ReadOnlySpan<char> text, List<Word> words)
    {
        int start = -1;
        ulong hash = 0;
        bool isAlone = false; // what began at start is a character of a script without spaces
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            bool alone = c >= 0x0E00 && Scripts.IsUnspaced(text, i);
            // Vowel signs and accents are written as marks and joiners: they go on with the word, or with the character that stands alone.
            if (alone || (start >= 0 && c >= 0x0300 && Scripts.IsMark(text, i)))
            {
                if (alone && start >= 0)
                    words.Add(new Word(Mix(hash), start, i - start));
                if (alone)
                    (start, hash) = (i, Prime);
                hash = (hash ^ c) * Prime;
                isAlone |= alone;
                continue;
            }
            if (isAlone)
            {
                // The second half of a character is not a word of its own.
                if (char.IsLowSurrogate(c))
                {
                    hash = (hash ^ c) * Prime;
                    continue;
                }
                words.Add(new Word(Mix(hash), start, i - start));
                (start, isAlone) = (-1, false);
            }
            if (
                c < 0x80 ? char.IsAsciiLetterOrDigit(c)
                : char.IsSurrogate(c) ? Scripts.IsAstralLetter(text, i)
                : char.IsLetterOrDigit(c)
            )
            {
                if (start < 0)
                    (start, hash) = (i, Prime);
                hash = (hash ^ Lower(c)) * Prime;
                continue;
            }
            if (start >= 0)
                words.Add(new Word(Mix(hash), start, i - start));
            start = -1;
        }
        if (start >= 0)
            words.Add(new Word(Mix(hash), start, text.Length - start));
    }

    /// <summary>Spreads the bits of a hash (the finalizer of MurmurHash3; Appleby, 2011).</summary>
    public static ulong Mix(ulong hash)
    {
        hash = (hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCD;
        hash = (hash ^ (hash >> 33)) * 0xC4CEB9FE1A85EC53;
        return hash ^ (hash >> 33);
    }

    private static char Lower(char c) => c < 0x80 ? (char.IsAsciiLetterUpper(c) ? (char)(c | 0x20) : c) : char.ToLowerInvariant(c);
}

/// <summary>Hashes of all n words in a row, each in constant time (Karp and Rabin, 1987).</summary>
internal ref struct NgramHashes
{
    private const ulong Base = 0xD6E8FEB86659FD93;

    private readonly ReadOnlySpan<Word> _words;
    private readonly int _n;
    private readonly ulong _leaving;
    private ulong _rolling;

    public NgramHashes(ReadOnlySpan<Word> words, int n)
    {
        _words = words;
        (_n, _leaving) = (n, 1);
        for (int i = 0; i < Math.Min(n, words.Length); i++)
        {
            _rolling = unchecked((_rolling * Base) + words[i].Hash);
            _leaving = unchecked(_leaving * Base);
        }
        First = -1;
    }

    /// <summary>How many there are in so many words.</summary>
    public static int Count(int words, int n) => Math.Max(0, words - n + 1);

    /// <summary>Number of the current n-gram's first word.</summary>
    public int First { get; private set; }

    public readonly ulong Current => Words.Mix(_rolling);

    public bool MoveNext()
    {
        First++;
        if (First + _n > _words.Length)
            return false;
        if (First > 0)
            _rolling = unchecked((_rolling * Base) + _words[First + _n - 1].Hash - (_leaving * _words[First - 1].Hash));
        return true;
    }
}
