namespace Uniscale.Corpus.Reading.Encyclopedias;

/// <summary>Which brackets of a page close which: templates {{ }}, links [[ ]], tables {| |}; one pass, whatever a page holds.</summary>
internal sealed class WikiBrackets
{
    private readonly string _text;
    private readonly Dictionary<int, int> _ends = [];
    private readonly Stack<(char Kind, int At)> _open = new();
    private readonly int[] _counts = new int[3];
    private int _lastVariant = int.MaxValue;

    /// <summary>Finds the pairs of a text.</summary>
    public WikiBrackets(string whole)
    {
        _text = whole;
        ReadOnlySpan<char> text = whole;
        for (int at = 0; at < text.Length - 1;)
        {
            int next = text[at..].IndexOfAny("{[}]|");
            if (next < 0 || (at += next) >= text.Length - 1)
                break;
            (char first, char second) = (text[at], text[at + 1]);
            if (first == second && first is '{' or '[')
                at = Open(first, at);
            else if (first == '{' && second == '|' && BeginsLine(text, at))
                at = Open('|', at);
            else if (first == second && first is '}' or ']')
                at = Close(first == '}' ? '{' : '[', at);
            else if (first == '|' && second == '}' && BeginsLine(text, at) && _open.TryPeek(out var top) && top.Kind == '|')
                at = Close('|', at);
            else
                at++;
        }
    }

    /// <summary>The place behind the bracket that closes the one that opens here; -1: none does.</summary>
    public int EndOf(int at) => _ends.GetValueOrDefault(at, -1);

    /// <summary>The place of the }- that closes a -{; -1: none does.</summary>
    public int EndOfVariant(int at)
    {
        int found = at > _lastVariant ? -1 : _text.IndexOf("}-", at + 2, StringComparison.Ordinal);
        if (found < 0)
            _lastVariant = Math.Min(_lastVariant, at - 1); // nothing is looked for behind it any more
        return found;
    }

    private int Open(char kind, int at)
    {
        _open.Push((kind, at));
        _counts[Index(kind)]++;
        return at + 2;
    }

    private int Close(char kind, int at)
    {
        if (_counts[Index(kind)] == 0)
            return at + 1;
        while (_open.TryPop(out var open))
        {
            _counts[Index(open.Kind)]--;
            if (open.Kind != kind)
                continue; // it is never closed
            _ends[open.At] = at + 2;
            break;
        }
        return at + 2;
    }

    private static int Index(char kind) =>
        kind switch
        {
            '{' => 0,
            '[' => 1,
            _ => 2,
        };

    private static bool BeginsLine(ReadOnlySpan<char> text, int at)
    {
        var before = text[..at].TrimEnd(" \t:*#");
        return before.IsEmpty || before[^1] == '\n';
    }
}
