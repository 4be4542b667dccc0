using System.Text;
using Uniscale.Data;

namespace Uniscale.Evaluation.Generation;

/// <summary>
/// The text of tokens that come one by one. A token's text depends on its neighbours (the space of a first piece, bytes of one character),
/// so it is what
/// a stretch of tokens has more with it than without.
/// </summary>
internal sealed class TextBuilder
{
    /// <summary>Tokens of the prompt that are enough to know how the text goes on.</summary>
    private const int Before = 8;

    private readonly Tokenizer _tokenizer;
    private readonly IReadOnlyList<string> _stops;
    private readonly List<int> _tokens;
    private readonly StringBuilder _text = new();
    private int _begin;
    private int _known;
    private int _given;

    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="prompt">Tokens before the text.</param>
    /// <param name="stops">Texts before which it ends.</param>
    public TextBuilder(Tokenizer tokenizer, IReadOnlyList<int> prompt, IReadOnlyList<string> stops)
    {
        _tokenizer = tokenizer;
        _stops = stops;
        _tokens = [.. prompt.Skip(prompt.Count - Before)];
        _known = _tokens.Count;
    }

    /// <summary>The text so far, without a stop.</summary>
    public string Text => _text.ToString();

    /// <summary>Adds a token.</summary>
    /// <returns>Whether a stop has come: the text ends before it.</returns>
    public bool Add(int token)
    {
        _tokens.Add(token);
        return Extend(final: false);
    }

    /// <summary>No more tokens come: what was held back is text.</summary>
    public bool Finish() => Extend(final: true);

    /// <summary>Text that was not given out yet and can be no beginning of a stop; at the end all of it.</summary>
    public string Take(bool final)
    {
        int end = _text.Length;
        if (!final)
        {
            // From the first place where a stop may have begun.
            int longest = _stops.Count == 0 ? 0 : _stops.Max(stop => stop.Length - 1);
            string tail = _text.ToString(Math.Max(_given, _text.Length - longest), Math.Min(longest, _text.Length - _given));
            for (int i = 0; i < tail.Length; i++)
            {
                if (!_stops.Any(stop => stop.StartsWith(tail[i..], StringComparison.Ordinal)))
                    continue;
                end = _text.Length - tail.Length + i;
                break;
            }
        }
        string taken = _text.ToString(_given, Math.Max(0, end - _given));
        _given = Math.Max(_given, end);
        return taken;
    }

    private bool Extend(bool final)
    {
        string before = Decode(_known),
            all = Decode(_tokens.Count);
        // A character may need several byte tokens: hold back what is not whole yet.
        if (!final && all.EndsWith('\uFFFD'))
            return false;
        if (all.Length > before.Length)
        {
            _text.Append(all, before.Length, all.Length - before.Length);
            _begin = _known;
        }
        _known = _tokens.Count;
        return CutAtStop();
    }

    private string Decode(int end) => _tokenizer.Decode([.. _tokens[_begin..end]]);

    private bool CutAtStop()
    {
        if (_stops.Count == 0)
            return false;
        string text = _text.ToString(_given, _text.Length - _given);
        int first = -1;
        foreach (string stop in _stops)
        {
            int at = text.IndexOf(stop, StringComparison.Ordinal);
            if (at >= 0 && (first < 0 || at < first))
                first = at;
        }
        if (first >= 0)
            _text.Length = _given + first;
        return first >= 0;
    }
}
