namespace Uniscale.Data;

/// <summary>What becomes of a pattern's matches when a text is split (SplitDelimiterBehavior).</summary>
internal enum SplitBehavior
{
    /// <summary>Each is a piece.</summary>
    Isolated,

    /// <summary>They go.</summary>
    Removed,

    /// <summary>Those side by side are one piece.</summary>
    Contiguous,

    /// <summary>Each goes with what stands before it.</summary>
    MergedWithPrevious,

    /// <summary>Each goes with what follows it.</summary>
    MergedWithNext,
}

/// <summary>One of the steps by which a text falls into words before merging: a space in front, and a split.</summary>
/// <param name="Pattern">What is looked for; null: the text stays whole.</param>
/// <param name="Behavior">What becomes of its matches.</param>
/// <param name="IsInverted">What lies between the matches is meant.</param>
/// <param name="AddsSpace">A text that begins with no space gets one.</param>
internal sealed record TextSplit(Pattern? Pattern, SplitBehavior Behavior, bool IsInverted = false, bool AddsSpace = false)
{
    /// <summary>Lists the pieces of a text that is not empty.</summary>
    public void Split(ReadOnlySpan<byte> text, List<(int Start, int End)> pieces)
    {
        pieces.Clear();
        bool afterMatch = false;
        int begin = -1; // of matches side by side, where those go with what follows
        for (int at = 0; at < text.Length;)
        {
            int start = Pattern!.Find(text, at, out int end);
            if (start != at)
                Add(at, start < 0 ? text.Length : start, IsInverted, pieces, ref afterMatch, ref begin);
            if (start < 0)
                break;
            Add(start, end, !IsInverted, pieces, ref afterMatch, ref begin);
            at = end;
        }
        if (begin >= 0)
            pieces.Add((begin, text.Length));
    }

    private void Add(int start, int end, bool isMatch, List<(int Start, int End)> pieces, ref bool afterMatch, ref int begin)
    {
        switch (Behavior)
        {
            case SplitBehavior.Removed:
                if (!isMatch)
                    pieces.Add((start, end));
                break;
            case SplitBehavior.Contiguous when pieces.Count > 0 && afterMatch == isMatch:
            case SplitBehavior.MergedWithPrevious when isMatch && !afterMatch && pieces.Count > 0:
                pieces[^1] = (pieces[^1].Start, end);
                break;
            case SplitBehavior.MergedWithNext when isMatch:
                if (begin >= 0)
                    pieces.Add((begin, start));
                begin = start;
                break;
            case SplitBehavior.MergedWithNext:
                pieces.Add((begin >= 0 ? begin : start, end));
                begin = -1;
                break;
            default:
                pieces.Add((start, end));
                break;
        }
        afterMatch = isMatch;
    }
}
