using System.Buffers;
using System.Text;

namespace Uniscale.Data;

/// <summary>A step by which a text is rewritten before it falls into words (a normalizer of tokenizer.json).</summary>
internal abstract class TextRewrite
{
    /// <summary>True where the text stays as it is.</summary>
    public abstract bool Keeps(ReadOnlySpan<byte> text);

    /// <summary>Writes what becomes of a text.</summary>
    public abstract void Write(ReadOnlySpan<byte> text, ArrayBufferWriter<byte> output);

    /// <summary>Writes a character.</summary>
    protected static void Write(int character, ArrayBufferWriter<byte> output)
    {
        int length = new Rune(character).EncodeToUtf8(output.GetSpan(4));
        output.Advance(length);
    }
}

/// <summary>Unicode's canonical forms: composed (NFC) or decomposed (NFD).</summary>
/// <param name="composes">Composed.</param>
internal sealed class CanonicalRewrite(bool composes) : TextRewrite
{
    private const int LongestDecomposition = 8;

    private readonly CanonicalTable _table = CanonicalTable.Instance;
    private readonly CharacterClass _stable = CanonicalTable.Instance.Stable(composes);

    public override bool Keeps(ReadOnlySpan<byte> text)
    {
        for (int at = 0; at < text.Length;)
        {
            at += Utf8Character.Decode(text, at, out int character);
            if (!_stable.Contains(character))
                return false;
        }
        return true;
    }

    public override void Write(ReadOnlySpan<byte> text, ArrayBufferWriter<byte> output)
    {
        int[] characters = ArrayPool<int>.Shared.Rent((text.Length * 3) + LongestDecomposition); // three characters of two bytes: U+0390
        int count = 0;
        for (int at = 0; at < text.Length;)
        {
            at += Utf8Character.Decode(text, at, out int character);
            count += _table.Decompose(character, characters.AsSpan(count));
        }
        Order(characters.AsSpan(0, count));
        if (composes)
            count = Compose(characters.AsSpan(0, count));
        foreach (int character in characters.AsSpan(0, count))
            Write(character, output);
        ArrayPool<int>.Shared.Return(characters);
    }

    /// <summary>Puts marks that follow one another in the order of their classes.</summary>
    private void Order(Span<int> characters)
    {
        for (int start = 0, end; start < characters.Length; start = end + 1)
        {
            for (end = start; end < characters.Length && _table.ClassOf(characters[end]) > 0; end++) { }
            if (end - start > 1)
                ((int[])[.. characters[start..end].ToArray().OrderBy(_table.ClassOf)]).CopyTo(characters[start..]); // stable
        }
    }

    private int Compose(Span<int> characters)
    {
        int count = 0,
            starter = -1,
            before = 0; // class of the mark before, which may block
        foreach (int character in characters)
        {
            int order = _table.ClassOf(character);
            bool isFree = starter >= 0 && (starter == count - 1 || before < order);
            if (isFree && _table.Compose(characters[starter], character) is >= 0 and var composed)
            {
                characters[starter] = composed;
                continue;
            }
            if (order == 0)
                starter = count;
            before = order;
            characters[count++] = character;
        }
        return count;
    }
}

/// <summary>Lower case, character by character.</summary>
internal sealed class LowerCase : TextRewrite
{
    private const int DottedI = 0x130; // the one whose lower case is two characters

    public override bool Keeps(ReadOnlySpan<byte> text)
    {
        for (int at = 0; at < text.Length;)
        {
            at += Utf8Character.Decode(text, at, out int character);
            if (character == DottedI || Rune.ToLowerInvariant(new Rune(character)).Value != character)
                return false;
        }
        return true;
    }

    public override void Write(ReadOnlySpan<byte> text, ArrayBufferWriter<byte> output)
    {
        for (int at = 0; at < text.Length;)
        {
            at += Utf8Character.Decode(text, at, out int character);
            Write(character == DottedI ? 'i' : Rune.ToLowerInvariant(new Rune(character)).Value, output);
            if (character == DottedI)
                Write(0x307, output);
        }
    }
}

/// <summary>What a pattern matches becomes another text.</summary>
internal sealed class Replacement(Pattern pattern, string content) : TextRewrite
{
    private readonly byte[] _content = Encoding.UTF8.GetBytes(content);

    public override bool Keeps(ReadOnlySpan<byte> text) => pattern.Find(text, 0, out _) < 0;

    public override void Write(ReadOnlySpan<byte> text, ArrayBufferWriter<byte> output)
    {
        int at = 0;
        while (pattern.Find(text, at, out int end) is >= 0 and var start)
        {
            output.Write(text[at..start]);
            output.Write(_content);
            at = end;
        }
        output.Write(text[at..]);
    }
}

/// <summary>A text in front of every other.</summary>
internal sealed class Prefix(string content) : TextRewrite
{
    private readonly byte[] _content = Encoding.UTF8.GetBytes(content);

    public override bool Keeps(ReadOnlySpan<byte> text) => _content.Length == 0;

    public override void Write(ReadOnlySpan<byte> text, ArrayBufferWriter<byte> output)
    {
        output.Write(_content);
        output.Write(text);
    }
}
