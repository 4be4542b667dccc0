namespace Uniscale.Data;

/// <summary>Characters of text that is known to be valid UTF-8.</summary>
internal static class Utf8Character
{
    /// <summary>Decodes one.</summary>
    /// <returns>Its bytes.</returns>
    public static int Decode(ReadOnlySpan<byte> text, int at, out int character)
    {
        int first = text[at];
        if (first < 0x80)
        {
            character = first;
            return 1;
        }
        if (first < 0xE0)
        {
            character = ((first & 0x1F) << 6) | (text[at + 1] & 0x3F);
            return 2;
        }
        if (first < 0xF0)
        {
            character = ((first & 0x0F) << 12) | ((text[at + 1] & 0x3F) << 6) | (text[at + 2] & 0x3F);
            return 3;
        }
        character = ((first & 0x07) << 18) | ((text[at + 1] & 0x3F) << 12) | ((text[at + 2] & 0x3F) << 6) | (text[at + 3] & 0x3F);
        return 4;
    }
}
