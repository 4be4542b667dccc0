using Apache.Arrow.Compression;
using Apache.Arrow.Ipc;
using Apache.Arrow.Types;
using Uniscale.Corpus.Reading.Decompression;

namespace Uniscale.Corpus.Reading.Tables;

/// <summary>
/// Arrow's own files: the stream form of the data sets' caches, and the file form (Feather 2). Buffers may be compressed with Zstandard or
/// LZ4. Memory: one batch of rows.
/// </summary>
internal sealed class ArrowReader : IFormReader
{
    private static ReadOnlySpan<byte> FileMagic => "ARROW1"u8;

    /// <summary>What a message of a stream begins with.</summary>
    private static ReadOnlySpan<byte> Continuation => [0xFF, 0xFF, 0xFF, 0xFF];

    public string Form => "arrow";

    public static bool Is(ReadOnlySpan<byte> head) =>
        head.StartsWith(FileMagic)
        || head.StartsWith("FEA1"u8)
        || (head.StartsWith(Continuation) && head.Length >= 8 && BitConverter.ToInt32(head[4..8]) is > 0 and < 1 << 28);

    public IEnumerable<RawDocument> Read(RawInput input, ReadingContext context)
    {
        if (input.Head.StartsWith("FEA1"u8))
            throw new InvalidDataException("it is Feather 1, which nobody writes any more: write it again as Feather 2");
        bool isFile = input.Head.StartsWith(FileMagic);
        string? path = isFile
            ? input.File
                ?? throw new InvalidDataException(
                    "an Arrow file is read from its end, so it cannot be within an archive or compressed as a whole: unpack it"
                )
            : null;
        using Stream? file = path is null ? null : File.OpenRead(path);
        using var messages = new MessageStream(input.Stream);
        using var reader = file is not null
            ? new ArrowFileReader(file, new CompressionCodecFactory())
            : new ArrowStreamReader(messages, new CompressionCodecFactory(), leaveOpen: true);
        var schema = reader.GetSchema().AsTask().GetAwaiter().GetResult() ?? throw new InvalidDataException("it has no schema");
        var records = new ArrowRecords(schema, context);
        bool hasDictionaries = schema.FieldsList.Any(field => HasDictionary(field.DataType));
        for (long row = 0; reader.ReadNextRecordBatch() is { } batch; row += batch.Length)
        {
            foreach (var document in records.Read(batch, row))
                yield return document;
            if (!hasDictionaries)
                batch.Dispose(); // what batches share would be gone with the first
        }
        if (file is null && !messages.HasEnded)
            throw new InvalidDataException("it is cut: the mark at the end of the stream is missing");
    }

    private static bool HasDictionary(IArrowType type) =>
        type is DictionaryType || (type is NestedType nested && nested.Fields.Any(field => HasDictionary(field.DataType)));

    /// <summary>Notes how a stream ends: its reader takes the end of a cut one for its end.</summary>
    private sealed class MessageStream(Stream inner) : ReadOnlyStream
    {
        /// <summary>A message of no length.</summary>
        private static ReadOnlySpan<byte> EndMark => [0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0];

        private readonly byte[] _last = new byte[8];

        public bool HasEnded => _last.AsSpan().SequenceEqual(EndMark);

        public override int Read(Span<byte> buffer)
        {
            int read = inner.Read(buffer);
            Span<byte> both = [.. _last, .. buffer[Math.Max(0, read - _last.Length)..read]];
            both[^_last.Length..].CopyTo(_last);
            return read;
        }
    }
}
