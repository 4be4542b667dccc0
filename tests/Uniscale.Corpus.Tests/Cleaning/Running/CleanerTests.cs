using System.Text;
using Uniscale.Configuration;
using Uniscale.Corpus.Cleaning;

namespace Uniscale.Corpus.Tests.Cleaning;

public sealed class CleanerTests : IDisposable
{
    private const string Steps = """
          - language: { keep: [en, zh], except: [code] }
          - exact_documents: {}
          - length: { min_words: 10 }
          - boilerplate: {}
          - exact_paragraphs: { min_characters: 60 }
          - near_duplicates: {}
          - quality: { gold: [GOLD], keep: { en: 0.9 } }
        """;

    private readonly CleaningFolder _folder = new();
    private readonly string _steps;

    public CleanerTests()
    {
        _steps = Steps.Replace("GOLD", _folder.PathOf("gold.txt"), StringComparison.Ordinal);
        File.WriteAllText(_folder.PathOf("gold.txt"), CleaningFolder.Prose(99, 4000));
        for (int file = 0; file < 5; file++)
        {
            int first = 60 * file;
            _folder.Add(
                file < 3 ? "web" : "code",
                Enumerable
                    .Range(first, 60)
                    .Select(seed =>
                        (seed % 6) switch
                        {
                            0 => CleaningFolder.Prose(seed % 60, 80),
                            1 => CleaningFolder.Edited(CleaningFolder.Prose(seed % 60 - 1, 80), 0.05, seed),
                            2 => "les enfants sont dans la maison avec leur mère",
                            3 => $"{CleaningFolder.Prose(seed, 30)}\nAll rights reserved.\n\n{CleaningFolder.Prose(7, 30)}",
                            4 =>
                                $"预训练语料第{seed}号，{new string([.. CleaningFolder.Prose(seed, 20).Where(char.IsLetter).Select(c => (char)(0x4E00 + (c * seed % 5000)))])}",
                            _ => CleaningFolder.Prose(seed, 60),
                        }
                    )
            );
        }
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void The_store_is_the_same_for_any_number_of_workers()
    {
        var one = _folder.Clean(_steps, "one", workers: 1);
        Assert.All(one.Steps, step => Assert.True(step.Tally.Dropped.Documents + step.Tally.Cut.Documents > 0, $"{step.Name} did nothing"));
        foreach (int workers in new[] { 2, 3 })
        {
            var more = _folder.Clean(_steps, $"with-{workers}", workers);
            Assert.Equal(_folder.Bytes("one"), _folder.Bytes($"with-{workers}"));
            Assert.Equal(one.Steps.SelectMany(step => step.Tally.Samples), more.Steps.SelectMany(step => step.Tally.Samples));
        }
    }

    [Fact]
    public void Every_byte_is_kept_dropped_or_cut()
    {
        var report = _folder.Clean(_steps);
        Assert.Equal(report.Input.Bytes, report.Kept.Bytes + report.Steps.Sum(step => step.Tally.Dropped.Bytes + step.Tally.Cut.Bytes));
        Assert.Equal(report.Input.Documents, report.Kept.Documents + report.Steps.Sum(step => step.Tally.Dropped.Documents));
        var documents = _folder.Documents();
        Assert.Equal(report.Kept.Documents, documents.Count);
        Assert.Equal(report.Kept.Bytes, documents.Sum(document => (long)Encoding.UTF8.GetByteCount(document.Text)));
        Assert.Equal(report.Kept.Bytes, report.Languages.Sum(language => language.Value.Bytes));
        Assert.Equal(report.Input.Bytes, report.Domains.Sum(domain => domain.Input.Bytes));
    }

    [Fact]
    public void Two_cleanings_do_not_share_an_output()
    {
        string? refusal = null;
        var first = new Cleaner(
            _folder.Pipeline(_steps, "both"),
            1,
            _ => refusal ??= Assert.Throws<UserErrorException>(() => _folder.Clean(_steps, "both")).Message
        );
        first.Run();
        Assert.EndsWith("both is under way in another process: wait for its end, or give another output.", refusal);
    }

    /// <summary>Stopped after each of its shards in turn, a cleaning gives what it would have given, and does no shard twice.</summary>
    [Fact]
    public void A_cleaning_that_was_stopped_goes_on()
    {
        _folder.Clean(_steps, "whole");
        var whole = _folder.Bytes("whole");
        for (int stop = 1; stop < 25; stop += 4)
        {
            string output = $"stopped-{stop}";
            var done = new List<(int, string)>();
            using var source = new CancellationTokenSource();
            var first = new Cleaner(
                _folder.Pipeline(_steps, output),
                1,
                shard =>
                {
                    done.Add((shard.Stage, shard.Shard));
                    if (done.Count == stop)
                        source.Cancel();
                }
            );
            Assert.ThrowsAny<OperationCanceledException>(() => first.Run(source.Token));
            Assert.False(DocumentStore.IsStore(_folder.PathOf(output)));
            // What a killed process leaves half written.
            File.WriteAllText(_folder.PathOf($"{output}/.cleaning/stage-0/00004.jsonl.zst.unfinished"), "rubbish");

            new Cleaner(
                _folder.Pipeline(_steps, output),
                2,
                shard => done.RemoveAll(entry => entry == (shard.Stage, shard.Shard) && !shard.IsTakenOver)
            ).Run();
            Assert.Equal(stop, done.Count);
            Assert.Equal(whole, _folder.Bytes(output));
        }
    }

    [Fact]
    public void A_finished_cleaning_is_reported_again_and_not_done_again()
    {
        _folder.Clean(_steps);
        var written = Directory.GetFiles(_folder.PathOf("clean/web")).Max(File.GetLastWriteTimeUtc);
        var again = new List<CleaningProgress>();
        var report = new Cleaner(_folder.Pipeline(_steps), 2, again.Add).Run();
        Assert.All(again, shard => Assert.True(shard.IsTakenOver));
        Assert.Equal(written, Directory.GetFiles(_folder.PathOf("clean/web")).Max(File.GetLastWriteTimeUtc));
        Assert.True(report.Kept.Documents > 0);
    }

    [Fact]
    public void Other_settings_or_a_directory_of_other_things_are_refused()
    {
        _folder.Clean("  - symbols: {}");
        Assert.Contains("with other settings", Assert.Throws<UserErrorException>(() => _folder.Clean("  - digits: {}")).Message);
        _folder.Add("web", ["another file"]);
        Assert.Contains("of other documents", Assert.Throws<UserErrorException>(() => _folder.Clean("  - symbols: {}")).Message);
        Directory.CreateDirectory(_folder.PathOf("mine"));
        File.WriteAllText(_folder.PathOf("mine/thesis.txt"), "");
        Assert.Contains("is not empty", Assert.Throws<UserErrorException>(() => _folder.Clean("  - symbols: {}", "mine")).Message);
    }

    [Fact]
    public void A_store_that_is_not_there_or_is_none_is_named()
    {
        Assert.Contains(
            "nowhere does not exist",
            Assert.Throws<UserErrorException>(() => _folder.Clean("  - symbols: {}", inputs: "nowhere")).Message
        );
        Directory.CreateDirectory(_folder.PathOf("empty"));
        Assert.Contains(
            "empty is no store",
            Assert.Throws<UserErrorException>(() => _folder.Clean("  - symbols: {}", inputs: "empty")).Message
        );
        Assert.False(Directory.Exists(_folder.PathOf("clean")));
    }

    [Theory]
    [InlineData("{\"id\": 1}", "has no string \"text\"")]
    [InlineData("{\"text\": \"a", "is not JSON")]
    [InlineData("{\"text\": \"\\ud800\"}", "is not JSON")]
    [InlineData("{\"text\": \"\u00FF\"}", "is not valid UTF-8")]
    public void A_broken_line_is_named_by_file_and_number(string line, string expected)
    {
        Directory.CreateDirectory(_folder.PathOf("broken/web"));
        byte[] bytes = line.Contains('\u00FF', StringComparison.Ordinal) ? Encoding.Latin1.GetBytes(line) : Encoding.UTF8.GetBytes(line);
        File.WriteAllBytes(_folder.PathOf("broken/web/a.jsonl"), [.. "{\"text\": \"good\"}\n"u8, .. bytes, (byte)'\n']);
        string message = Assert.Throws<UserErrorException>(() => _folder.Clean("  - symbols: {}", inputs: "broken", workers: 2)).Message;
        Assert.Contains("Line 2 of", message);
        Assert.Contains(expected, message);
    }

    [Fact]
    public void A_huge_line_and_a_damaged_file_are_named()
    {
        string path = _folder.PathOf("huge.jsonl");
        File.WriteAllText(path, "{\"text\": \"good\"}\n{\"text\": \"" + new string('a', 3 << 20) + "\"}\n");
        Assert.Contains(
            "Line 2 of",
            Assert.Throws<UserErrorException>(() => StoredDocumentReader.Read(path, maxLineBytes: 1 << 20).Count()).Message
        );
        Directory.CreateDirectory(_folder.PathOf("damaged/web"));
        File.WriteAllText(_folder.PathOf("damaged/web/a.jsonl.zst"), "this is no archive, whatever its name says");
        Assert.Contains(
            "cannot be decompressed",
            Assert.Throws<UserErrorException>(() => _folder.Clean("  - symbols: {}", inputs: "damaged")).Message
        );
    }
}
