using System.Buffers;
using System.Text;

namespace Uniscale.Data;

/// <summary>A token that a text has wherever it spells it, before all else.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Content">Its text.</param>
/// <param name="IsSpecial">It is a mark without text, such as the end of a document.</param>
/// <param name="IsNormalized">It is looked for in the rewritten text.</param>
/// <param name="TakesLeft">White space before it goes with it.</param>
/// <param name="TakesRight">White space behind it goes with it.</param>
internal sealed record AddedToken(int Id, string Content, bool IsSpecial, bool IsNormalized, bool TakesLeft, bool TakesRight);

/// <summary>Finds added tokens in texts: the leftmost, and of those the longest.</summary>
internal sealed class AddedTokens
{
    private static readonly CharacterClass WhiteSpace = new(CharacterSet.WhiteSpace);

    private readonly SearchValues<byte> _firsts;
    private readonly ulong[] _pairs = new ulong[1 << 10]; // a bit for each two bytes that a token begins with
    private readonly (byte[] Utf8, AddedToken Token)[]?[] _byFirst = new (byte[], AddedToken)[]?[256]; // the longest first

    /// <param name="tokens">The tokens, each as it stands in the text that is looked at.</param>
    public AddedTokens(IEnumerable<(string Text, AddedToken Token)> tokens)
    {
        var all = tokens
            .Where(entry => entry.Text.Length > 0)
            .Select(entry => (Utf8: Encoding.UTF8.GetBytes(entry.Text), entry.Token))
            .ToList();
        foreach (var group in all.GroupBy(entry => entry.Utf8[0]))
            _byFirst[group.Key] = [.. group.OrderByDescending(entry => entry.Utf8.Length)];
        foreach ((byte[] utf8, _) in all)
            for (int second = 0; second < 256; second++)
                if (utf8.Length == 1 || utf8[1] == second)
                    _pairs[((utf8[0] << 8) | second) >> 6] |= 1UL << second;
        _firsts = SearchValues.Create([.. all.Select(entry => entry.Utf8[0]).Distinct()]);
        IsEmpty = all.Count == 0;
    }

    /// <summary>There are none.</summary>
    public bool IsEmpty { get; }

    /// <summary>The next token in a text.</summary>
    /// <param name="text">Valid UTF-8.</param>
    /// <param name="from">Where to begin.</param>
    /// <param name="start">Where it begins, with the white space that it takes.</param>
    /// <param name="end">Where it ends.</param>
    /// <returns>The token; null: there is none.</returns>
    public AddedToken? Find(ReadOnlySpan<byte> text, int from, out int start, out int end)
    {
        for (start = from; !IsEmpty; start++)
        {
            int ahead = text[start..].IndexOfAny(_firsts);
            if (ahead < 0)
                break;
            start += ahead;
            var rest = text[start..];
            if (rest.Length > 1 && (_pairs[((rest[0] << 8) | rest[1]) >> 6] >> rest[1] & 1) == 0)
                continue;
            foreach ((byte[] utf8, var token) in _byFirst[rest[0]]!)
            {
                if (!rest.StartsWith(utf8))
                    continue;
                end = start + utf8.Length;
                if (token.TakesLeft)
                    while (
                        start > from
                        && Rune.DecodeLastFromUtf8(text[from..start], out var before, out int length) == OperationStatus.Done
                        && WhiteSpace.Contains(before.Value)
                    )
                        start -= length;
                if (token.TakesRight)
                    while (end < text.Length && Utf8Character.Decode(text, end, out int after) is var length && WhiteSpace.Contains(after))
                        end += length;
                return token;
            }
        }
        (start, end) = (text.Length, text.Length);
        return null;
    }
}
