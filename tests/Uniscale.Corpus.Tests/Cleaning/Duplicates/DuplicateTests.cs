using Uniscale.Corpus.Cleaning;

namespace Uniscale.Corpus.Tests.Cleaning;

/// <summary>Rules that judge a document by all others.</summary>
public sealed class DuplicateTests : IDisposable
{
    private readonly CleaningFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Of_equal_documents_the_first_stays_across_stores_domains_and_files()
    {
        _folder.Add("web", ["one  document", "two"]);
        _folder.Add("web", ["three", "two", "One document"]);
        _folder.Add("books", ["one\ndocument\n", "three"]);
        _folder.Add("web", ["two ", "four"], store: "more");
        var report = _folder.Clean("  - exact_documents: {}", inputs: "store more");
        Assert.Equal(["one\ndocument\n", "three", "two", "One document", "four"], _folder.Texts());
        Assert.Equal(4, report.Steps[0].Tally.Dropped.Documents);
        Assert.Equal((9, 5), (report.Input.Documents, report.Kept.Documents));
    }

    [Fact]
    public void Repeated_paragraphs_are_removed_and_documents_of_nothing_else_dropped()
    {
        string shared = CleaningFolder.Prose(1, 40),
            own = CleaningFolder.Prose(2, 40);
        _folder.Add("web", [$"{shared}\n\nshort\n\nfirst", $"before\n\n{shared}\n\n\nshort\n\n{own}", shared, $"{own}\n\n{shared}"]);
        var report = _folder.Clean("  - exact_paragraphs: { min_characters: 100 }");
        Assert.Equal([$"{shared}\n\nshort\n\nfirst", $"before\n\nshort\n\n{own}"], _folder.Texts());
        var tally = report.Steps[0].Tally;
        Assert.Equal((2, 1), (tally.Dropped.Documents, tally.Cut.Documents));
        Assert.Equal(report.Input.Bytes, report.Kept.Bytes + tally.Dropped.Bytes + tally.Cut.Bytes);
    }

    [Fact]
    public void Excepted_domains_neither_lose_documents_nor_make_others_lose_them()
    {
        _folder.Add("code", ["same text", "same text"]);
        _folder.Add("web", ["same text", "other text", "same text"]);
        _folder.Clean("  - exact_documents: { except: [code] }");
        Assert.Equal(["same text", "same text", "same text", "other text"], _folder.Texts());
    }

    [Fact]
    public void The_answer_does_not_depend_on_the_memory()
    {
        var random = new Random(1);
        string[] observations = [_folder.PathOf("a"), _folder.PathOf("b")];
        foreach (string path in observations)
        {
            using var file = new RecordFile.Writer<UInt128>(path);
            for (int i = 0; i < 5000; i++)
                file.Add((UInt128)random.Next(4000));
        }
        string[] large = [_folder.PathOf("a1"), _folder.PathOf("b1")],
            small = [_folder.PathOf("a2"), _folder.PathOf("b2")];
        FirstOccurrences.Decide(observations, large, CancellationToken.None);
        FirstOccurrences.Decide(observations, small, CancellationToken.None, memory: 10_000);
        for (int i = 0; i < 2; i++)
            Assert.Equal(File.ReadAllBytes(large[i]), File.ReadAllBytes(small[i]));
        int kept = 10_000 - large.Sum(path => File.ReadAllBytes(path).Sum(flags => int.PopCount(flags)));
        Assert.Equal(observations.SelectMany(RecordFile.Read<UInt128>).Distinct().Count(), kept);
    }

    /// <summary>
    /// 5% of the words of each copy are others. Copies lie in other files, domains and stores than what they are copies of, among texts
    /// that share words but not
    /// sentences, and texts of which a third is the same.
    /// </summary>
    [Theory]
    [InlineData(60)]
    [InlineData(300)]
    public void Planted_copies_are_found_and_nothing_else(int words)
    {
        const int Documents = 600,
            Copies = 300;
        string[] originals = [.. Enumerable.Range(0, Documents).Select(seed => CleaningFolder.Prose(seed, words))];
        string[] copies = [.. Enumerable.Range(0, Copies).Select(seed => CleaningFolder.Edited(originals[seed], 0.05, seed + 1_000_000))];
        string[] relatives =
        [
            .. Enumerable
                .Range(0, Copies)
                .Select(seed =>
                    $"{originals[Documents - 1 - seed][..(words * 2)]} {CleaningFolder.Prose(seed + 2_000_000, words * 2 / 3)}"
                ),
        ];
        _folder.Add("books", originals[..200]);
        _folder.Add("books", originals[200..]);
        _folder.Add("web", copies.Take(100).Concat(relatives));
        _folder.Add("web", copies.Skip(100), store: "more");
        _folder.Clean("  - near_duplicates: {}", inputs: "store more");

        HashSet<string> kept = [.. _folder.Texts()];
        double found = copies.Count(copy => !kept.Contains(copy)),
            wrong = originals.Concat(relatives).Count(text => !kept.Contains(text));
        Assert.True(found / Copies >= 0.95, $"recall {found / Copies}");
        Assert.True(found / (found + wrong) >= 0.95, $"precision {found / (found + wrong)}");
    }

    [Fact]
    public void Nothing_is_dropped_because_of_a_chain_of_small_differences()
    {
        var chain = new List<string> { CleaningFolder.Prose(1, 400) };
        for (int i = 1; i < 12; i++)
            chain.Add(CleaningFolder.Edited(chain[^1], 0.05, i));
        _folder.Add("web", chain);
        _folder.Clean("  - near_duplicates: {}");
        var kept = _folder.Texts();
        Assert.InRange(kept.Count, 3, 8);
        Assert.Equal(chain[0], kept[0]);
    }

    [Fact]
    public void Candidates_sorted_in_parts_give_the_same_answer()
    {
        string[] observations = [_folder.PathOf("signatures")];
        var random = new Random(3);
        using (var file = new RecordFile.Writer<uint>(observations[0]))
            for (int i = 0; i < 100_000; i++)
                for (int row = 0; row < 4; row++)
                    file.Add((uint)random.Next(24));
        var settings = new NearDuplicatesSection
        {
            Bands = 2,
            Rows = 2,
            Similarity = 1,
        };
        string[] flags = [_folder.PathOf("one"), _folder.PathOf("two")];
        new NearDuplicatesRule(settings).Decide(observations, flags[..1], CancellationToken.None);
        new NearDuplicatesRule(settings with { Memory = 100_000 }).Decide(observations, flags[1..], CancellationToken.None);
        Assert.Equal(File.ReadAllBytes(flags[0]), File.ReadAllBytes(flags[1]));
        Assert.Contains(File.ReadAllBytes(flags[0]), part => part != 0);
    }

    [Fact]
    public void Quality_keeps_a_share_of_each_language()
    {
        _folder.Add("gold", Enumerable.Range(100, 30).Select(seed => CleaningFolder.Prose(seed, 200)), store: "good");
        string[] good = [.. Enumerable.Range(0, 15).Select(seed => CleaningFolder.Prose(seed, 100))];
        string[] bad = [.. Enumerable.Range(0, 5).Select(seed => "the xqzj of vkkq and zzxw to pfft in qqjx is wyvern that jrrk " + seed)];
        _folder.Add("web", good.Take(8).Concat(bad).Concat(good.Skip(8)).Append("未被评判的语言保留下来"));
        _folder.Clean($"  - quality: {{ gold: [{_folder.PathOf("good")}], keep: {{ en: 0.75 }} }}");
        Assert.Equal([.. good, "未被评判的语言保留下来"], _folder.Texts());
    }
}
