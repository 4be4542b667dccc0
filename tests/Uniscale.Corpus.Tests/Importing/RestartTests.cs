using Uniscale.Corpus.Reading;

namespace Uniscale.Corpus.Tests.Importing;

/// <summary>A store depends on the raw files alone.</summary>
public sealed class RestartTests : IDisposable
{
    private const int FileCount = 12;

    private readonly ImportFolder _folder = new();
    private readonly string[] _files;

    public RestartTests()
    {
        _files =
        [
            .. Enumerable
                .Range(0, FileCount)
                .Select(file =>
                    _folder.Write(
                        $"raw/{(file * 5) % FileCount:D2}.jsonl.gz",
                        ImportFolder.Gzip(System.Text.Encoding.UTF8.GetBytes(Lines(file)))
                    )
                ),
        ];
        File.WriteAllBytes(_files[4], File.ReadAllBytes(_files[4])[..^40]); // damaged
        _folder.Write("raw/notes.txt", "notes");
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void It_is_the_same_for_any_number_of_workers_and_any_order_of_names()
    {
        var one = _folder.Import([_folder.PathOf("raw")], options: Options(1), store: "one");
        Assert.Equal((FileCount, 1), (one.Files, one.Damaged.Count)); // eleven whole ones and the notes
        var files = _folder.Files("one");
        Assert.InRange(files.Count, 4, FileCount);
        foreach (int workers in (int[])[2, 5])
        {
            string store = $"with{workers}";
            string[] names =
            [
                .. _files
                    .Append(_folder.PathOf("raw/notes.txt"))
                    .OrderBy(file => (file.GetHashCode(StringComparison.Ordinal) * workers) % 7),
            ];
            var report = _folder.Import(names, options: Options(workers), store: store);
            Assert.Equal((one.Documents, one.Bytes, 1), (report.Documents, report.Bytes, report.Damaged.Count));
            Assert.Equal(files, _folder.Files(store));
            Assert.Equal(
                File.ReadAllLines(_folder.PathOf("one/web/imported.tsv")),
                File.ReadAllLines(_folder.PathOf($"{store}/web/imported.tsv"))
            );
        }
    }

    [Fact]
    public async Task A_stop_and_a_kill_leave_what_was_done_and_the_same_import_ends_as_if_it_had_never_stopped()
    {
        _folder.Import([_folder.PathOf("raw")], options: Options(2), store: "whole");
        for (int stopAt = 1; stopAt < 4; stopAt++)
        {
            string store = $"stopped{stopAt}";
            using var stop = new CancellationTokenSource();
            int done = 0;
            var options = Options(1) with
            {
                Progress = (_, _) =>
                {
                    if (++done == stopAt)
                        stop.Cancel();
                },
            };
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() =>
                new Importer(_folder.PathOf(store), "web", options).RunAsync([_folder.PathOf("raw")], stop.Token)
            );
            Assert.Equal(stopAt, _folder.Files(store).Count);
            // What a kill leaves besides: a file without its name, a line of the record without its end, a record of a file that never got
            // its name.
            _folder.Write($"{store}/web/00003.jsonl.zst.unfinished", "half");
            File.AppendAllText(_folder.PathOf($"{store}/web/imported.tsv"), "0123456789abc");
            File.Delete(_folder.PathOf($"{store}/web/00000.jsonl.zst"));
            _folder.Import([_folder.PathOf("raw")], options: Options(2), store: store);
            Assert.Equal(_folder.Files("whole"), _folder.Files(store));
            Assert.Equal(
                File.ReadAllLines(_folder.PathOf("whole/web/imported.tsv")),
                File.ReadAllLines(_folder.PathOf($"{store}/web/imported.tsv"))
            );
        }
    }

    [Fact]
    public void A_file_that_is_there_is_known_by_its_bytes_under_any_name_and_the_damaged_one_is_looked_at_again()
    {
        _folder.Import([_folder.PathOf("raw")], options: Options(2));
        long documents = _folder.Documents().Count;
        File.Move(_files[0], _folder.PathOf("raw/renamed.jsonl.gz"));
        File.Copy(_files[1], _folder.PathOf("raw/copy.jsonl.gz"));
        var again = _folder.Import([_folder.PathOf("raw")], options: Options(2));
        Assert.Equal(
            (0, FileCount, 1),
            (again.Documents, again.LeftOut["imported before"], again.LeftOut["the same bytes as another file"])
        );
        Assert.Single(again.Damaged);
        File.WriteAllBytes(_files[4], ImportFolder.Gzip(System.Text.Encoding.UTF8.GetBytes(Lines(4))));
        Assert.Equal(40, _folder.Import([_folder.PathOf("raw")], options: Options(2)).Documents);
        Assert.Equal(documents + 40, _folder.Documents().Count);
    }

    [Fact]
    public void The_record_and_a_dry_run_say_what_each_file_was_taken_for()
    {
        _folder.Import([_folder.PathOf("raw")], options: Options(2));
        string[] lines = File.ReadAllLines(_folder.PathOf("store/web/imported.tsv"));
        Assert.Equal(FileCount + 2, lines.Length);
        Assert.Equal(
            "gzip json lines\t40",
            string.Join('\t', lines.Single(line => line.Contains("\t00.jsonl.gz\t", StringComparison.Ordinal)).Split('\t')[3..5])
        );
        Assert.Contains(
            "damaged: a gzip member is cut",
            lines.Single(line => line.Contains($"\t{Path.GetFileName(_files[4])}\t", StringComparison.Ordinal)),
            StringComparison.Ordinal
        );

        List<ImportPreview> looked = [.. new Importer("", "", Options(1)).Look([_folder.PathOf("raw")], mostDocuments: 10)];
        Assert.Equal(FileCount + 1, looked.Count);
        Assert.Equal(("gzip json lines", 10, false, 3), (looked[0].Form, looked[0].Documents, looked[0].IsWhole, looked[0].First.Count));
        Assert.StartsWith("document 0 of 0", looked[0].First[0], StringComparison.Ordinal);
        var strange = new Importer("", "", new ImportOptions { Reading = new ReadingOptions { Form = "parquet" } })
            .Look([_folder.PathOf("raw/notes.txt")], 10)
            .Single();
        Assert.Contains("it has 5 bytes", strange.Damage, StringComparison.Ordinal);
    }

    private static ImportOptions Options(int workers) => new() { Workers = workers, UnitBytes = 3000 };

    private static string Lines(int file) =>
        string.Concat(
            Enumerable
                .Range(0, 40)
                .Select(line =>
                    $"{{\"text\":\"document {line} of {file}: {string.Join(' ', Enumerable.Range(0, 30).Select(i => (i * 7919 * (line + 1) * (file + 3)) % 10_007))}\"}}\n"
                )
        );
}
