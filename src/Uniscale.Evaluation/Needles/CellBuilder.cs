using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Requests;

namespace Uniscale.Evaluation.Needles;

/// <summary>Makes the texts of a needle test.</summary>
/// <param name="haystack">The text.</param>
/// <param name="tokenizer">The model's tokenizer; not owned.</param>
/// <param name="options">What is asked.</param>
public sealed class CellBuilder(Haystack haystack, Tokenizer tokenizer, NeedleOptions options)
{
    private const int KeyDigits = 7;

    /// <summary>The needle goes back over so many tokens at most to stand behind a whole sentence.</summary>
    private const int SentenceTokens = 200;

    private readonly int[] _question = tokenizer.Encode(options.Question);
    private readonly Dictionary<int, bool> _ends = [];

    /// <summary>Tokens of a text with needle, question and answer that has one token besides.</summary>
    public int ShortestLength =>
        (TextStart.Of(tokenizer) is null ? 0 : 1)
        + tokenizer.Encode(options.Needle.Replace(NeedleOptions.KeyMark, Key(0), StringComparison.Ordinal)).Length
        + _question.Length
        + options.AnswerTokens
        + 1;

    /// <summary>The cells of a length, by repeat and depth.</summary>
    /// <exception cref="UserErrorException">Needle, question and answer leave no room for a text.</exception>
    public IReadOnlyList<NeedleCell> Of(int length)
    {
        var cells = new List<NeedleCell>();
        for (int repeat = 0; repeat < options.Repeats; repeat++)
        {
            int[] text = TextOf(length, repeat);
            for (int depth = 0; depth < options.Depths; depth++)
                cells.Add(Cell(length, depth, repeat, text));
        }
        return cells;
    }

    /// <summary>One cell alone.</summary>
    /// <param name="length">Tokens of text, needle, question and answer.</param>
    /// <param name="depth">Number of the depth.</param>
    /// <param name="repeat">Number of the repeat.</param>
    /// <exception cref="UserErrorException">Needle, question and answer leave no room for a text.</exception>
    public NeedleCell One(int length, int depth, int repeat) => Cell(length, depth, repeat, TextOf(length, repeat));

    private int[] TextOf(int length, int repeat) =>
        haystack.Tokens(length, unchecked((long)Mixing.Key((ulong)options.Seed, (ulong)repeat)));

    private NeedleCell Cell(int length, int depth, int repeat, int[] text)
    {
        double percent = options.DepthPercents[depth];
        for (ulong draw = 0; ; draw++)
        {
            string key = Key(Mixing.Key(unchecked((ulong)options.Seed), (ulong)length, (ulong)depth, (ulong)repeat, draw));
            int[] needle = Hidden(options.Needle, key);
            int[] prefix = TextStart.Of(tokenizer) is { } start ? [start] : [];
            int around = prefix.Length + needle.Length + _question.Length + options.AnswerTokens,
                room = length - around;
            if (room < 1)
            {
                throw new UserErrorException(
                    $"A length of {length} tokens is too short: needle and question have {around - options.AnswerTokens} and the answer may have {options.AnswerTokens}, so give --lengths more than {around}, or fewer --tokens."
                );
            }
            if (tokenizer.Decode(text.AsSpan(0, room)).Contains(key, StringComparison.Ordinal))
                continue;
            int place = Place(text, room, percent);
            int[] prompt = [.. prefix, .. text.AsSpan(0, place), .. needle, .. text.AsSpan(place, room - place), .. _question];
            return new NeedleCell(length, percent, repeat, key, prompt, prefix.Length + place, tokenizer.Decode(prompt).Length);
        }
    }

    /// <summary>The tokens of a sentence with its key.</summary>
    /// <exception cref="UserErrorException">The tokenizer has none for the key's digits.</exception>
    internal int[] Hidden(string sentence, string key)
    {
        int[] tokens = tokenizer.Encode(sentence.Replace(NeedleOptions.KeyMark, key, StringComparison.Ordinal));
        return tokenizer.Decode(tokens).Contains(key, StringComparison.Ordinal)
            ? tokens
            : throw new UserErrorException(
                $"The tokenizer {tokenizer.Path} has no tokens for the digits of the key {key}, so no model with it can answer: it was trained on text without digits."
            );
    }

    /// <summary>Where the needle comes: at the depth, or behind the last whole sentence before it where one ends close by.</summary>
    internal int Place(int[] text, int room, double percent)
    {
        int wanted = (int)(room * percent / 100);
        if (wanted == 0 || wanted == room)
            return wanted;
        for (int place = wanted; place > Math.Max(0, wanted - SentenceTokens); place--)
            if (EndsSentence(text[place - 1]))
                return place;
        return wanted;
    }

    private bool EndsSentence(int token)
    {
        if (_ends.TryGetValue(token, out bool known))
            return known;
        string text = tokenizer.Decode([token]);
        return _ends[token] = text.Length > 0 && ".!?\n。！？".Contains(text[^1], StringComparison.Ordinal);
    }

    /// <summary>Digits of which none comes twice: a model that copies token by token cannot lose its place in them.</summary>
    internal static string Key(ulong random)
    {
        char[] digits = [.. "0123456789"];
        for (int i = 0; i < KeyDigits; i++)
        {
            ulong choices = (ulong)(digits.Length - i);
            int other = i + (int)(random % choices);
            (digits[i], digits[other]) = (digits[other], digits[i]);
            random /= choices;
        }
        return new string(digits, 0, KeyDigits);
    }
}
