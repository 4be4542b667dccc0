using System.Text;
using Parquet;
using Parquet.Schema;
using Uniscale.Configuration;

using Uniscale.Data.Tests;
namespace Uniscale.Corpus.Tests;

public sealed class ParquetTextTests : IDisposable
{
    private readonly ShardFolder _corpus = new();

    public void Dispose() => _corpus.Dispose();

    [Theory]
    [InlineData(CompressionMethod.None)]
    [InlineData(CompressionMethod.Snappy)]
    [InlineData(CompressionMethod.Zstd)]
    public async Task The_rows_of_the_text_column_become_documents(CompressionMethod compression)
    {
        var schema = new ParquetSchema(new DataField<long>("id"), new DataField<string>("text"));
        string path = _corpus.PathOf("rows.parquet");
        await WriteAsync(path, schema, compression, ["first", null, "zweites: \u00fc\u4e2d"], ["", "last"]);
        ImportReport report = Import(path);
        Assert.Equal((1, 3, 2), (report.Files, report.Documents, report.LeftOut["rows without text"]));
        Assert.Equal(["first", "zweites: \u00fc\u4e2d", "last"], Texts());
    }

    [Fact]
    public async Task A_file_without_a_column_of_texts_is_refused_with_the_columns_that_it_has()
    {
        string path = _corpus.PathOf("other.parquet");
        await WriteAsync(path, new ParquetSchema(new DataField<long>("id"), new DataField<string>("content")), CompressionMethod.Snappy, ["a"]);
        Assert.Contains("no column of strings named text; it has id (Int64), content (strings)", Assert.Throws<UserErrorException>(() => Import(path)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_damaged_file_is_refused_in_one_sentence()
    {
        string path = _corpus.PathOf("cut.parquet");
        await WriteAsync(path, new ParquetSchema(new DataField<long>("id"), new DataField<string>("text")), CompressionMethod.Snappy, ["some text"], ["more text"]);
        byte[] whole = File.ReadAllBytes(path);
        for (int kept = 0; kept < whole.Length; kept += 7)
        {
            File.WriteAllBytes(path, whole[..kept]);
            Assert.Contains("cannot be read as Parquet", Assert.Throws<UserErrorException>(() => Import(path)).Message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(-1)]
    [InlineData(1 << 20)]
    public async Task A_footer_that_claims_more_than_the_file_has_is_refused(int footer)
    {
        string path = _corpus.PathOf("footer.parquet");
        await WriteAsync(path, new ParquetSchema(new DataField<long>("id"), new DataField<string>("text")), CompressionMethod.Snappy, ["some text"]);
        byte[] bytes = File.ReadAllBytes(path);
        BitConverter.GetBytes(footer).CopyTo(bytes, bytes.Length - 8);
        File.WriteAllBytes(path, bytes);
        Assert.Contains($"its footer is said to have {(uint)footer} bytes", Assert.Throws<UserErrorException>(() => Import(path)).Message, StringComparison.Ordinal);
    }

    private static async Task WriteAsync(string path, ParquetSchema schema, CompressionMethod compression, params string?[][] groups)
    {
        await using FileStream file = File.Create(path);
        await using ParquetWriter writer = await ParquetWriter.CreateAsync(schema, file, new ParquetOptions { CompressionMethod = compression });
        foreach (string?[] texts in groups)
        {
            using ParquetRowGroupWriter group = writer.CreateRowGroup();
            await group.WriteAsync<long>(schema.DataFields[0], Enumerable.Range(0, texts.Length).Select(row => (long)row).ToArray().AsMemory());
            await group.WriteAsync(schema.DataFields[1], texts!);
            group.CompleteValidate();
        }
    }

    private ImportReport Import(string path)
    {
        using var store = new DocumentStoreWriter(_corpus.PathOf("store"), "web");
        var importer = new Importer(store, new ImportOptions { Strict = true });
        importer.Import([path]);
        store.Complete();
        return importer.Report;
    }

    private List<string> Texts() =>
        [.. DocumentReader.ReadAll(Directory.GetFiles(_corpus.PathOf("store/web"), "*.zst")).Select(part => Encoding.UTF8.GetString(part.Text.Span))];
}
