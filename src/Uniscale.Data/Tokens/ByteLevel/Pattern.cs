using System.Text;
using Uniscale.Configuration;

namespace Uniscale.Data;

/// <summary>
/// A regular expression over UTF-8 that gives the matches that Oniguruma gives, by the same backtracking: alternatives in their order,
/// repetitions as greedy as written. Allocates nothing while it matches; its depth is bounded by the pattern's length.
/// </summary>
internal sealed class Pattern
{
    // Ways that are given up before a match, at most; Oniguruma has bounds too.
    private const long MostSteps = 50_000_000,
        MostStepsPerByte = 100;

    private readonly PatternStep _first;

    private Pattern(PatternStep first) => _first = first;

    /// <summary>Reads a pattern.</summary>
    /// <exception cref="FormatException">It holds what is not understood, or can match nothing at all.</exception>
    public static Pattern Parse(string pattern) => Of(PatternParser.Parse(pattern));

    /// <summary>A text that stands for itself.</summary>
    public static Pattern Literal(string text) =>
        Of(new SequenceNode([.. text.EnumerateRunes().Select(rune => new SetNode(CharacterSet.Of(rune.Value)))]));

    /// <summary>One character of a set, or as many as follow one another.</summary>
    public static Pattern Of(CharacterSet set, bool isRun) => Of(new RepeatNode(set, 1, isRun ? int.MaxValue : 1, Greed.Greedy));

    private static Pattern Of(PatternNode node) =>
        node.MinLength > 0 ? new Pattern(PatternStep.Of(node, new EndStep())) : throw new FormatException("a match of no characters");

    /// <summary>The first match from a place on.</summary>
    /// <returns>Where it begins; -1 where there is none.</returns>
    public int Find(ReadOnlySpan<byte> text, int from, out int end)
    {
        long steps = MostSteps + (MostStepsPerByte * (text.Length - from));
        for (int at = from; at < text.Length; at += Utf8Character.Decode(text, at, out _))
        {
            end = _first.Match(text, at, ref steps);
            if (end >= 0)
                return at;
        }
        end = -1;
        return -1;
    }
}

/// <summary>A part of a pattern that knows what follows it.</summary>
internal abstract class PatternStep
{
    /// <summary>Matches this and all that follows.</summary>
    /// <param name="text">Valid UTF-8.</param>
    /// <param name="at">Where.</param>
    /// <param name="steps">Ways that may still be given up.</param>
    /// <returns>The end of the match; -1: there is none.</returns>
    /// <exception cref="UserErrorException">The pattern tries too many ways.</exception>
    public abstract int Match(ReadOnlySpan<byte> text, int at, ref long steps);

    /// <summary>False where no match begins with this byte.</summary>
    public virtual bool MayBegin(byte first) => true;

    /// <summary>Counts a way that led to no match.</summary>
    protected static void GiveUp(ref long steps)
    {
        if (--steps < 0)
            throw new UserErrorException(
                "A pattern of the tokenizer.json tries too many ways at a text: use a model whose pattern is simpler, or cut the text."
            );
    }

    /// <summary>The step of a node.</summary>
    public static PatternStep Of(PatternNode node, PatternStep next) =>
        node switch
        {
            SetNode set => new SetStep(new CharacterClass(set.Set), next),
            SequenceNode sequence => sequence.Parts.Reverse().Aggregate(next, (following, part) => Of(part, following)),
            ChoiceNode choice => new ChoiceStep([.. choice.Parts.Select(part => Of(part, next))]),
            RepeatNode { Greed: Greed.Lazy } lazy => new LazyStep(new CharacterClass(lazy.Set), lazy.Min, lazy.Max, next),
            RepeatNode repeat => new RepeatStep(new CharacterClass(repeat.Set), repeat, next),
            AheadNode ahead => new AheadStep(Of(ahead.Part, new EndStep()), ahead.IsNegated, next),
            BehindNode behind => new BehindStep(new CharacterClass(behind.Set), behind.IsNegated, next),
            PlaceNode place => new PlaceStep(place.Place, next),
            _ => throw new InvalidOperationException($"{node.GetType().Name} has no step."),
        };
}

internal sealed class EndStep : PatternStep
{
    public override int Match(ReadOnlySpan<byte> text, int at, ref long steps) => at;
}

internal sealed class SetStep(CharacterClass set, PatternStep next) : PatternStep
{
    public override int Match(ReadOnlySpan<byte> text, int at, ref long steps)
    {
        if (at >= text.Length)
            return -1;
        int length = Utf8Character.Decode(text, at, out int character);
        return set.Contains(character) ? next.Match(text, at + length, ref steps) : -1;
    }

    public override bool MayBegin(byte first) => set.MayBegin(first);
}

internal sealed class ChoiceStep : PatternStep
{
    private readonly PatternStep[] _parts;
    private readonly PatternStep[][] _byFirst = new PatternStep[256][]; // those of the parts that may begin with a byte

    public ChoiceStep(PatternStep[] parts)
    {
        _parts = parts;
        for (int first = 0; first < _byFirst.Length; first++)
            _byFirst[first] = [.. parts.Where(part => part.MayBegin((byte)first))];
    }

    public override int Match(ReadOnlySpan<byte> text, int at, ref long steps)
    {
        foreach (var part in at < text.Length ? _byFirst[text[at]] : _parts)
        {
            if (part.Match(text, at, ref steps) is >= 0 and var end)
                return end;
            GiveUp(ref steps);
        }
        return -1;
    }

    public override bool MayBegin(byte first) => _byFirst[first].Length > 0;
}

internal sealed class RepeatStep(CharacterClass set, RepeatNode repeat, PatternStep next) : PatternStep
{
    private readonly int _min = repeat.Min;
    private readonly int _max = repeat.Max;
    private readonly bool _keeps = repeat.Greed == Greed.Possessive;

    public override int Match(ReadOnlySpan<byte> text, int at, ref long steps)
    {
        int count = 0,
            end = at;
        for (; count < _max && end < text.Length; count++)
        {
            int length = Utf8Character.Decode(text, end, out int character);
            if (!set.Contains(character))
                break;
            end += length;
        }
        if ((steps -= count) < 0)
            GiveUp(ref steps);
        while (count >= _min)
        {
            if (next.Match(text, end, ref steps) is >= 0 and var matched)
                return matched;
            if (_keeps || count-- == 0)
                return -1;
            GiveUp(ref steps);
            while ((text[--end] & 0xC0) == 0x80) { } // back over a character
        }
        return -1;
    }

    public override bool MayBegin(byte first) => set.MayBegin(first) || (_min == 0 && next.MayBegin(first));
}

internal sealed class LazyStep(CharacterClass set, int min, int max, PatternStep next) : PatternStep
{
    public override int Match(ReadOnlySpan<byte> text, int at, ref long steps)
    {
        for (int count = 0; ; count++)
        {
            if (count >= min && next.Match(text, at, ref steps) is >= 0 and var matched)
                return matched;
            if (count == max || at >= text.Length)
                return -1;
            GiveUp(ref steps);
            int length = Utf8Character.Decode(text, at, out int character);
            if (!set.Contains(character))
                return -1;
            at += length;
        }
    }

    public override bool MayBegin(byte first) => set.MayBegin(first) || (min == 0 && next.MayBegin(first));
}

internal sealed class AheadStep(PatternStep part, bool isNegated, PatternStep next) : PatternStep
{
    public override int Match(ReadOnlySpan<byte> text, int at, ref long steps) =>
        part.Match(text, at, ref steps) >= 0 != isNegated ? next.Match(text, at, ref steps) : -1;
}

internal sealed class BehindStep(CharacterClass set, bool isNegated, PatternStep next) : PatternStep
{
    public override int Match(ReadOnlySpan<byte> text, int at, ref long steps)
    {
        Rune.DecodeLastFromUtf8(text[..at], out var before, out int length);
        return (length > 0 && set.Contains(before.Value)) != isNegated ? next.Match(text, at, ref steps) : -1;
    }
}

internal sealed class PlaceStep(TextPlace place, PatternStep next) : PatternStep
{
    public override int Match(ReadOnlySpan<byte> text, int at, ref long steps)
    {
        bool isThere = place switch
        {
            TextPlace.LineBegin => at == 0 || text[at - 1] == '\n',
            TextPlace.LineEnd => at == text.Length || text[at] == '\n',
            TextPlace.TextBegin => at == 0,
            _ => at == text.Length,
        };
        return isThere ? next.Match(text, at, ref steps) : -1;
    }
}
