using System.Text;

namespace Uniscale.Corpus.Reading;

/// <summary>The root element of XML by the first bytes of a file.</summary>
internal static class XmlHead
{
    /// <summary>True where the root has this name.</summary>
    public static bool RootIs(ReadOnlySpan<byte> head, string name)
    {
        string text = Encoding.UTF8.GetString(head[..Math.Min(head.Length, 4096)]).TrimStart('\uFEFF', ' ', '\t', '\r', '\n');
        while (text.StartsWith("<?", StringComparison.Ordinal) || text.StartsWith("<!--", StringComparison.Ordinal))
        {
            string close = text[1] == '?' ? "?>" : "-->";
            int end = text.IndexOf(close, StringComparison.Ordinal);
            if (end < 0)
                return false;
            text = text[(end + close.Length)..].TrimStart();
        }
        return text.StartsWith("<" + name, StringComparison.Ordinal)
            && (text.Length == name.Length + 1 || !char.IsLetterOrDigit(text[name.Length + 1]));
    }
}
