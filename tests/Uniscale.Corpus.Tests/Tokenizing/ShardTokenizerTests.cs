using System.Text.Json;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Data.Tests;

namespace Uniscale.Corpus.Tests;

public sealed class ShardTokenizerTests(SmallTokenizer small) : IClassFixture<SmallTokenizer>, IDisposable
{
    private readonly ShardFolder _corpus = new();

    public void Dispose() => _corpus.Dispose();

    [Fact]
    public async Task Shards_are_the_same_for_any_number_of_workers_and_hold_every_document()
    {
        string[] texts = [.. Enumerable.Range(0, 300).Select(i => SmallTokenizer.Text(1 + i % 90, seed: i))];
        string path = Lines(texts);
        byte[][] files = [];
        foreach (int workers in (int[])[1, 2, 5])
        {
            string prefix = _corpus.PathOf($"w{workers}");
            var report = await new ShardTokenizer(small.Tokenizer, workers, validation: 0.2).RunAsync(DocumentReader.Read(path), prefix);
            Assert.Equal(300, report.Documents + report.ValidationDocuments);
            Assert.InRange(report.ValidationDocuments, 30, 90);
            byte[][] written =
            [
                .. new[] { ".train.bin", ".train.idx", ".validation.bin", ".validation.idx" }.Select(end =>
                    File.ReadAllBytes(prefix + end)
                ),
            ];
            if (files.Length > 0)
                Assert.Equal(files, written);
            files = written;
        }
        List<string> decoded =
        [
            .. new[] { "w1.train", "w1.validation" }
                .SelectMany(name => PlainReader.Documents(_corpus.PathOf(name)))
                .Select(document => small.Tokenizer.Decode([.. document[..^1].Select(token => (int)token)])),
        ];
        Assert.Equal(texts.Order(StringComparer.Ordinal), decoded.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_long_file_is_one_document_whatever_its_parts()
    {
        string path = _corpus.PathOf("long.txt"),
            text = SmallTokenizer.Text(30_000, seed: 3);
        await File.WriteAllTextAsync(path, text);
        var report = await new ShardTokenizer(small.Tokenizer, 2).RunAsync(
            DocumentReader.Read(path, small.Tokenizer),
            _corpus.PathOf("long")
        );
        Assert.Equal(1, report.Documents);
        long[] tokens = Assert.Single(PlainReader.Documents(_corpus.PathOf("long.train")));
        Assert.Equal([.. small.Tokenizer.Encode(text).Select(token => (long)token), small.Tokenizer.EndId], tokens);
    }

    [Fact]
    public async Task Nothing_to_write_and_broken_input_are_refused_and_leave_no_files()
    {
        var shards = new ShardTokenizer(small.Tokenizer, 2);
        string empty = Lines([""]),
            broken = _corpus.PathOf("broken.jsonl");
        await File.WriteAllTextAsync(broken, "{\"text\": \"good\"}\n{\"text\": \n");
        Assert.Contains(
            "no documents",
            (
                await Assert.ThrowsAsync<UserErrorException>(() => shards.RunAsync(DocumentReader.Read(empty), _corpus.PathOf("out")))
            ).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "Line 2",
            (
                await Assert.ThrowsAsync<UserErrorException>(() => shards.RunAsync(DocumentReader.Read(broken), _corpus.PathOf("out")))
            ).Message,
            StringComparison.Ordinal
        );
        Assert.Empty(Directory.GetFiles(_corpus.Root, "out*"));
    }

    [Fact]
    public async Task Finished_shards_are_known_until_anything_they_depend_on_changes()
    {
        string path = Lines([.. Enumerable.Range(0, 50).Select(i => SmallTokenizer.Text(10, seed: i))]),
            prefix = _corpus.PathOf("known");
        TokenizationRecord Record(double validation = 0.2) => new(prefix, small.Tokenizer, validation, [path]);
        Assert.Null(Record().Find());
        var shards = new ShardTokenizer(small.Tokenizer, 1, validation: 0.2);
        var report = await shards.RunAsync(DocumentReader.Read(path), prefix);
        Record().Write(report, shards.Digests);
        Assert.Equal(report, Record().Find());

        Assert.Null(Record(validation: 0.1).Find());
        await File.AppendAllTextAsync(path, "{\"text\": \"one more\"}\n");
        Assert.Null(Record().Find());
        Record().Write(report, shards.Digests);
        File.Delete(prefix + ".train.idx");
        Assert.Null(Record().Find());
        Record().Write(report, shards.Digests);
        await File.WriteAllTextAsync(prefix + ".tokenized.json", "{");
        Assert.Null(Record().Find());
    }

    [Fact]
    public async Task Shards_know_the_tokenizer_that_made_them()
    {
        string path = Lines([.. Enumerable.Range(0, 50).Select(i => SmallTokenizer.Text(10, seed: i))]),
            prefix = _corpus.PathOf("made");
        var shards = new ShardTokenizer(small.Tokenizer, 1);
        var report = await shards.RunAsync(DocumentReader.Read(path), prefix);
        new TokenizationRecord(prefix, small.Tokenizer, 0, [path]).Write(report, shards.Digests);
        TokenizationRecord.CheckTokenizer($"{prefix}.train", small.Tokenizer);

        string other = _corpus.PathOf("other.model");
        TokenizerTrainer.Train(DocumentReader.Read(path), other, new TokenizerTraining { VocabularySize = 300, Threads = 1 });
        using var tokenizer = Tokenizer.Load(other);
        var failure = Assert.Throws<UserErrorException>(() => TokenizationRecord.CheckTokenizer($"{prefix}.train", tokenizer));
        Assert.Contains("made.train.bin was made by another tokenizer than ", failure.Message, StringComparison.Ordinal);
        File.Delete(prefix + ".tokenized.json");
        TokenizationRecord.CheckTokenizer($"{prefix}.train", tokenizer);
    }

    [Fact]
    public async Task Another_share_of_validation_leaves_nothing_of_the_first()
    {
        string path = Lines([.. Enumerable.Range(0, 50).Select(i => SmallTokenizer.Text(10, seed: i))]),
            prefix = _corpus.PathOf("again");
        await new ShardTokenizer(small.Tokenizer, 1, validation: 0.5).RunAsync(DocumentReader.Read(path), prefix);
        Assert.True(File.Exists(prefix + ".validation.bin"));
        var report = await new ShardTokenizer(small.Tokenizer, 1).RunAsync(DocumentReader.Read(path), prefix);
        Assert.Equal(50, report.Documents);
        Assert.Equal(["again.train.bin", "again.train.idx"], Directory.GetFiles(_corpus.Root, "again*").Select(Path.GetFileName).Order());
    }

    [Fact]
    public async Task A_flipped_byte_is_found_by_the_digests_beside_a_shard()
    {
        string path = Lines([.. Enumerable.Range(0, 50).Select(i => SmallTokenizer.Text(10, seed: i))]),
            prefix = _corpus.PathOf("flipped");
        var shards = new ShardTokenizer(small.Tokenizer, 1);
        new TokenizationRecord(prefix, small.Tokenizer, 0, [path]).Write(
            await shards.RunAsync(DocumentReader.Read(path), prefix),
            shards.Digests
        );
        var section = new SourceSection { Name = "a", Shards = [prefix + ".train"] };
        TokenSource.Open(section).Dispose();
        byte[] tokens = File.ReadAllBytes(prefix + ".train.bin");
        tokens[tokens.Length / 2] ^= 1;
        File.WriteAllBytes(prefix + ".train.bin", tokens);
        using var shard = TokenShard.Open(prefix + ".train");
        Assert.True(shard.IsRecorded);
        Assert.Contains(
            "flipped.train.bin is not what",
            Assert.Throws<UserErrorException>(() => shard.Verify()).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "flipped.train.bin is not what",
            Assert.Throws<UserErrorException>(() => TokenSource.Open(section)).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(int.MaxValue)]
    public void A_number_of_workers_that_no_machine_has_is_refused(int workers) =>
        Assert.StartsWith(
            $"--workers {workers} is no number of threads",
            Assert.Throws<UserErrorException>(() => new ShardTokenizer(small.Tokenizer, workers)).Message,
            StringComparison.Ordinal
        );

    private string Lines(string[] texts)
    {
        string path = _corpus.PathOf("documents.jsonl");
        File.WriteAllLines(
            path,
            texts.Select(text =>
                JsonSerializer.Serialize(
                    new
                    {
                        id = 1,
                        nested = new { text = "not this" },
                        text,
                    }
                )
            )
        );
        return path;
    }
}
