using Uniscale.Corpus.Reading.Decompression;

namespace Uniscale.Corpus.Reading.Json;

/// <summary>JSON over several lines: an array of objects, or objects one after the other.</summary>
internal sealed class JsonObjectsReader : IFormReader
{
    public string Form => "json";

    public IEnumerable<RawDocument> Read(RawInput input, ReadingContext context) =>
        Objects(input).Select(item => new RawDocument(item.Place, item.Json.Length, () => JsonRecord.Of(item.Json, context)));

    /// <summary>The objects, each with its number.</summary>
    public static IEnumerable<(string Place, byte[] Json)> Objects(RawInput input)
    {
        var stream = input.Stream;
        if (stream.Peek(3).Span.SequenceEqual("\uFEFF"u8))
            stream.Skip(3);
        bool isArray = SkipSpace(stream) == '[';
        if (isArray)
            stream.Skip(1);
        for (long number = 1; SkipSpace(stream) is var next && next >= 0 && next != ']'; number++)
        {
            if (next == ',')
            {
                stream.Skip(1);
                SkipSpace(stream);
            }
            yield return ($"{number}", ReadValue(stream));
        }
        if (isArray && stream.ReadByte() != ']')
            throw new InvalidDataException("the array is cut: its last bracket is missing");
        if (SkipSpace(stream) >= 0)
            throw new InvalidDataException("something follows behind the array");
    }

    private static int SkipSpace(PeekStream stream)
    {
        while (stream.PeekHeld() is { Length: > 0 } held)
        {
            int first = held.Span.IndexOfAnyExcept(" \t\r\n"u8);
            stream.Skip(first < 0 ? held.Length : first);
            if (first >= 0)
                return held.Span[first];
        }
        return -1;
    }

    /// <summary>The bytes of the value that begins here: to the bracket that closes it, or to what ends a plain one.</summary>
    private static byte[] ReadValue(PeekStream stream)
    {
        int depth = 0,
            at = 0;
        bool inText = false;
        for (int size = 1 << 12; ; size *= 2)
        {
            var held = stream.Peek(size).Span;
            for (; at < held.Length; at++)
            {
                byte b = held[at];
                if (inText)
                {
                    int special = held[at..].IndexOfAny((byte)'"', (byte)'\\');
                    at = special < 0 ? held.Length - 1 : at + special;
                    if (held[at] == '\\' && special >= 0)
                        at++; // what follows is meant as it stands; it may lie behind what is held
                    else
                        inText = special < 0;
                    continue;
                }
                if (b == '"')
                    inText = true;
                else if (b is (byte)'{' or (byte)'[')
                    depth++;
                else if (depth == 0 && b is (byte)',' or (byte)']')
                    return Take(stream, at);
                else if (b is (byte)'}' or (byte)']' && --depth == 0)
                    return Take(stream, at + 1);
            }
            if (held.Length < size)
                return depth > 0 || inText ? throw new InvalidDataException("it is cut within an object") : Take(stream, held.Length);
            if (size > DocumentReader.MaxLineBytes)
                throw new InvalidDataException($"an object is longer than {DocumentReader.MaxLineBytes >> 20} MiB");
        }
    }

    private static byte[] Take(PeekStream stream, int count)
    {
        byte[] value = stream.Peek(count).ToArray();
        stream.Skip(count);
        return value;
    }
}
