using ParquetSharp;
using ParquetSharp.Arrow;

namespace Uniscale.Corpus.Reading.Tables;

/// <summary>
/// Parquet, by Arrow's own reader: a document a row. Of other columns nothing is read. Memory: some pages of the columns that are needed.
/// </summary>
internal sealed class ParquetReader : IFormReader
{
    private const int RowsAtOnce = 512;
    private const int BufferBytes = 1 << 20;

    public string Form => "parquet";

    /// <summary>The first and last bytes of a file; PARE where it is encrypted.</summary>
    public static bool Is(ReadOnlySpan<byte> head) => head.StartsWith("PAR1"u8) || head.StartsWith("PARE"u8);

    public IEnumerable<RawDocument> Read(RawInput input, ReadingContext context)
    {
        string path =
            input.File
            ?? throw new InvalidDataException(
                "Parquet is read from its end, so it cannot be within an archive or compressed as a whole: unpack it"
            );
        CheckEnds(path);
        using var file = ReaderProperties.GetDefaultReaderProperties();
        file.EnableBufferedStream();
        file.BufferSize = BufferBytes;
        file.EnablePageChecksumVerification();
        using var arrow = ArrowReaderProperties.GetDefault();
        arrow.BatchSize = RowsAtOnce;
        arrow.PreBuffer = false;
        arrow.UseThreads = false;
        using var reader = new FileReader(path, file, arrow);
        var records = new ArrowRecords(reader.Schema, context);
        int[] columns = LeavesOf(reader.SchemaManifest, records.Columns);
        using var stream = reader.GetRecordBatchReader(null, columns);
        for (long row = 0; ;)
        {
            using var batch = stream.ReadNextRecordBatchAsync().AsTask().GetAwaiter().GetResult();
            if (batch is null)
                yield break;
            foreach (var document in records.Read(batch, row))
                yield return document;
            row += batch.Length;
        }
    }

    private static void CheckEnds(string path)
    {
        using var file = File.OpenRead(path);
        Span<byte> end = stackalloc byte[8];
        if (file.Length < 12)
            throw new InvalidDataException($"it has {file.Length} bytes");
        file.Position = file.Length - end.Length;
        file.ReadExactly(end);
        int footer = BitConverter.ToInt32(end);
        if (end[4..].SequenceEqual("PARE"u8))
            throw new InvalidDataException("it is encrypted");
        if (!end[4..].SequenceEqual("PAR1"u8))
            throw new InvalidDataException("it is cut: it does not end with PAR1");
        if (footer < 0 || footer > file.Length - 12)
            throw new InvalidDataException($"its footer is said to have {(uint)footer} bytes, the file has {file.Length}");
    }

    private static int[] LeavesOf(SchemaManifest manifest, IReadOnlySet<string> roots)
    {
        var leaves = new List<int>();
        void Add(SchemaField field)
        {
            if (field.ColumnIndex >= 0)
                leaves.Add(field.ColumnIndex);
            foreach (var child in field.Children)
                Add(child);
        }
        foreach (var field in manifest.SchemaFields.Where(field => roots.Contains(field.Field.Name)))
            Add(field);
        return [.. leaves];
    }
}
