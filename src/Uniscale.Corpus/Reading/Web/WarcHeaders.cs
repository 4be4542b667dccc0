using System.Text;

namespace Uniscale.Corpus.Reading.Web;

/// <summary>
/// The named fields of a WARC record, kept as the bytes that they are: of a dozen in each record few are asked for.
/// </summary>
/// <param name="lines">The lines, each with its end.</param>
internal sealed class WarcHeaders(byte[] lines)
{
    /// <summary>True where each line is a field, or goes on with the one before.</summary>
    public bool AreWhole
    {
        get
        {
            bool isFirst = true;
            for (ReadOnlySpan<byte> rest = lines; Next(ref rest) is { IsEmpty: false } line; isFirst = false)
                if (!Continues(line, isFirst) && line.IndexOf((byte)':') <= 0)
                    return false;
            return true;
        }
    }

    /// <summary>A field's value; of several with one name the last.</summary>
    /// <param name="name">The name, in any case.</param>
    public string? Find(ReadOnlySpan<char> name)
    {
        string? value = null;
        bool isFirst = true,
            isFound = false;
        for (ReadOnlySpan<byte> rest = lines; Next(ref rest) is { IsEmpty: false } line; isFirst = false)
        {
            bool continues = Continues(line, isFirst);
            int colon = continues ? -1 : line.IndexOf((byte)':');
            isFound = continues ? isFound : Ascii.EqualsIgnoreCase(line[..colon].Trim(" \t"u8), name);
            if (isFound)
                value = (continues ? value + " " : "") + Text(line[(colon + 1)..]);
        }
        return value;
    }

    private static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes).Trim();

    /// <summary>Fields may be folded: what begins with white space goes on with the line before.</summary>
    private static bool Continues(ReadOnlySpan<byte> line, bool isFirst) => !isFirst && line[0] is (byte)' ' or (byte)'\t';

    private static ReadOnlySpan<byte> Next(ref ReadOnlySpan<byte> rest)
    {
        int end = rest.IndexOf((byte)'\n');
        var line = rest[..Math.Max(end, 0)].TrimEnd((byte)'\r');
        rest = rest[(end + 1)..];
        return line;
    }
}
