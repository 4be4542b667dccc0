namespace Uniscale.Data;

/// <summary>
/// The characters by which byte-level vocabularies write bytes: a printable one of Latin-1 stands for itself, the others, in order, for
/// U+0100 and up, so that a space is Ġ (GPT-2's encoder.py, bytes_to_unicode).
/// </summary>
internal static class ByteAlphabet
{
    private const int Others = 0x100;

    private static readonly char[] Characters = MakeCharacters();
    private static readonly Dictionary<char, byte> Bytes = Characters
        .Select((character, value) => (character, value))
        .ToDictionary(pair => pair.character, pair => (byte)pair.value);

    /// <summary>The character of a byte.</summary>
    public static char Of(byte value) => Characters[value];

    /// <summary>The bytes that a piece writes; null where a character of it writes none.</summary>
    public static byte[]? BytesOf(string piece)
    {
        byte[] bytes = new byte[piece.Length];
        for (int i = 0; i < bytes.Length; i++)
            if (!Bytes.TryGetValue(piece[i], out bytes[i]))
                return null;
        return bytes;
    }

    private static char[] MakeCharacters()
    {
        char[] characters = new char[256];
        int others = Others;
        for (int value = 0; value < characters.Length; value++)
            characters[value] = value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF)
                ? (char)value
                : (char)others++;
        return characters;
    }
}
