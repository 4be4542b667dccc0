using System.Text;

namespace Uniscale.Corpus.Reading.Texts;

/// <summary>Text that stays the UTF-8 that it came as.</summary>
internal static class Utf8Text
{
    /// <summary>True where there is nothing but white space.</summary>
    public static bool IsBlank(ReadOnlySpan<byte> text)
    {
        while (!text.IsEmpty)
        {
            Rune.DecodeFromUtf8(text, out var rune, out int length);
            if (!Rune.IsWhiteSpace(rune))
                return false;
            text = text[length..];
        }
        return true;
    }

    /// <summary>The text as a store has it: CRLF is LF, and NUL is nothing. It is the same memory where neither is in it.</summary>
    public static ReadOnlyMemory<byte> WithoutControls(ReadOnlyMemory<byte> text)
    {
        var rest = text.Span;
        if (rest.IndexOf("\r\n"u8) < 0 && !rest.Contains((byte)0))
            return text;
        byte[] plain = new byte[rest.Length];
        int length = 0;
        while (rest.IndexOfAny((byte)'\r', (byte)0) is >= 0 and var at)
        {
            int kept = at + (rest[at] == '\r' && !rest[at..].StartsWith("\r\n"u8) ? 1 : 0);
            rest[..kept].CopyTo(plain.AsSpan(length));
            length += kept;
            rest = rest[(at + 1)..];
        }
        rest.CopyTo(plain.AsSpan(length));
        return plain.AsMemory(0, length + rest.Length);
    }
}
