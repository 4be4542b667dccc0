namespace Uniscale.Data;

/// <summary>How often something is repeated: as often as it can be, as seldom, or as often without ever giving back.</summary>
internal enum Greed
{
    Greedy,
    Lazy,
    Possessive,
}

/// <summary>A place that a pattern can ask for.</summary>
internal enum TextPlace
{
    LineBegin,
    LineEnd,
    TextBegin,
    TextEnd,
}

/// <summary>A part of a pattern as it is written.</summary>
internal abstract record PatternNode
{
    /// <summary>Characters that it takes at least.</summary>
    public abstract int MinLength { get; }
}

/// <summary>One character of a set.</summary>
internal sealed record SetNode(CharacterSet Set) : PatternNode
{
    public override int MinLength => 1;
}

/// <summary>Parts one behind the other.</summary>
internal sealed record SequenceNode(IReadOnlyList<PatternNode> Parts) : PatternNode
{
    public override int MinLength => (int)Math.Min(int.MaxValue, Parts.Sum(part => (long)part.MinLength));
}

/// <summary>The first of several that leads to a match.</summary>
internal sealed record ChoiceNode(IReadOnlyList<PatternNode> Parts) : PatternNode
{
    public override int MinLength => Parts.Min(part => part.MinLength);
}

/// <summary>A character of a set again and again.</summary>
internal sealed record RepeatNode(CharacterSet Set, int Min, int Max, Greed Greed) : PatternNode
{
    public override int MinLength => Min;
}

/// <summary>What must follow, or not, without being taken.</summary>
internal sealed record AheadNode(PatternNode Part, bool IsNegated) : PatternNode
{
    public override int MinLength => 0;
}

/// <summary>A character of a set that must stand before, or not.</summary>
internal sealed record BehindNode(CharacterSet Set, bool IsNegated) : PatternNode
{
    public override int MinLength => 0;
}

/// <summary>A place in the text.</summary>
internal sealed record PlaceNode(TextPlace Place) : PatternNode
{
    public override int MinLength => 0;
}
