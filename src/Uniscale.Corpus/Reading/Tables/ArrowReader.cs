using Apache.Arrow;
using Apache.Arrow.Compression;
using Apache.Arrow.Ipc;

namespace Uniscale.Corpus.Reading.Tables;

/// <summary>Arrow's own files: the stream form of the data sets' caches, and the file form (Feather 2). Buffers may be compressed with Zstandard or LZ4. Memory: one batch of rows.</summary>
internal sealed class ArrowReader : IFormReader
{
    private static ReadOnlySpan<byte> FileMagic => "ARROW1"u8;

    /// <summary>What a message of a stream begins with.</summary>
    private static ReadOnlySpan<byte> Continuation => [0xFF, 0xFF, 0xFF, 0xFF];

    public string Form => "arrow";

    public static bool Is(ReadOnlySpan<byte> head) => head.StartsWith(FileMagic) || head.StartsWith("FEA1"u8) || (head.StartsWith(Continuation) && head.Length >= 8 && BitConverter.ToInt32(head[4..8]) is > 0 and < 1 << 28);

    public IEnumerable<RawDocument> Read(RawInput input, ReadingContext context)
    {
        if (input.Head.StartsWith("FEA1"u8))
            throw new InvalidDataException("it is Feather 1, which nobody writes any more: write it again as Feather 2");
        bool isFile = input.Head.StartsWith(FileMagic);
        string? path = isFile ? input.File ?? throw new InvalidDataException("an Arrow file is read from its end, so it cannot be within an archive or compressed as a whole: unpack it") : null;
        using Stream? file = path is null ? null : File.OpenRead(path);
        using ArrowStreamReader reader = file is not null ? new ArrowFileReader(file, new CompressionCodecFactory()) : new ArrowStreamReader(input.Stream, new CompressionCodecFactory(), leaveOpen: true);
        Schema schema = reader.GetSchema().AsTask().GetAwaiter().GetResult() ?? throw new InvalidDataException("it has no schema");
        var records = new ArrowRecords(schema, context);
        for (long row = 0; ;)
        {
            using RecordBatch? batch = reader.ReadNextRecordBatch();
            if (batch is null)
                break;
            foreach (RawDocument document in records.Read(batch, row))
                yield return document;
            row += batch.Length;
        }
    }
}
