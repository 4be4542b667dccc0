using Uniscale.Configuration;
using Uniscale.Corpus.Chat;
using Uniscale.Data;
using Uniscale.Data.Tests;

namespace Uniscale.Corpus.Tests.Chat;

/// <summary>From samples to packs to what training reads.</summary>
public sealed class ChatStoreTests(ChatVocabulary vocabulary) : IClassFixture<ChatVocabulary>, IDisposable
{
    private readonly ShardFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Bins_are_never_too_full_hold_everything_and_are_few()
    {
        var random = new Random(1);
        int[] lengths = [.. Enumerable.Range(0, 3000).Select(_ => 1 + random.Next(100))];
        var bins = BestFit.Pack(lengths, 100);
        Assert.All(bins, bin => Assert.InRange(bin.Sum(item => lengths[item]), 1, 100));
        Assert.Equal(Enumerable.Range(0, lengths.Length), bins.SelectMany(bin => bin).Order());
        Assert.InRange(bins.Count, lengths.Sum() / 100, lengths.Sum() / 100 * 105 / 100);
        Assert.Empty(BestFit.Pack([], 100));
        Assert.Equal(
            [
                [0, 2],
                [1],
            ],
            BestFit.Pack([60, 100, 40], 100)
        );
    }

    /// <summary>
    /// An epoch feeds every pack once, the last too; a sample is whole, a document of its own, and its marks come with it.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Every_sample_is_fed_whole_with_its_marks(int shards)
    {
        var expected = new List<string>();
        for (int shard = 0; shard < shards; shard++)
            expected.AddRange(Write($"s{shard}", Samples(40, seed: shard)));
        using var probe = TokenSource.Open(new SourceSection { Name = "chat", Shards = [_folder.PathOf("s*.train")] });
        Assert.Equal((PackKind.Samples, 64), probe.Packs);
        var run = ShardFolder.Run(64, 1, probe.TokenCount, new SourceSection { Name = "chat", Shards = [_folder.PathOf("s*.train")] });
        using var curriculum = Curriculum.FromConfiguration(
            run with
            {
                Model = run.Model with { DocumentMask = true },
            },
            vocabulary.Tokenizer.Size
        );
        Assert.True(curriculum.HasMarks);
        var fed = new List<string>();
        for (long consumed = 0; consumed < curriculum.TotalTokens; consumed += 64)
        {
            int[] tokens = new int[65],
                documents = new int[65];
            var marks = new TokenMarks[65];
            var step = curriculum.StepAt(consumed);
            curriculum.Read(step, step.FirstSample, tokens, documents);
            curriculum.ReadMarks(step, step.FirstSample, marks);
            Assert.NotEqual(documents[63], documents[64]);
            foreach (var document in Enumerable.Range(0, 64).GroupBy(place => documents[place]))
                if (document.Any(place => marks[place] != TokenMarks.None))
                    fed.Add(
                        vocabulary.Text(
                            new TokenizedChat([.. document.Select(place => tokens[place])], [.. document.Select(place => marks[place])])
                        )
                    );
        }
        Assert.Equal(expected.Order(StringComparer.Ordinal), fed.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Validation_is_a_share_that_the_tokens_choose_and_reports_count_it()
    {
        var report = Store("v", Samples(200, seed: 9), validation: 0.3);
        Assert.Equal(200, report.Samples + report.ValidationSamples);
        Assert.InRange(report.ValidationSamples, 30, 90);
        Assert.InRange(report.Fill, 0.85, 1);
        using var training = TokenShard.Open(_folder.PathOf("v.train"));
        using var held = TokenShard.Open(_folder.PathOf("v.validation"));
        Assert.Equal(report.Packs * 64, training.TokenCount + held.TokenCount);
        training.Verify(vocabulary.Tokenizer.Size);
        Assert.True(training.IsRecorded);
    }

    [Fact]
    public void Packs_that_do_not_fit_the_run_are_refused()
    {
        Write("p", Samples(40, seed: 2));
        var source = new SourceSection { Name = "chat", Shards = [_folder.PathOf("p.train")] };
        string Refused(RunConfiguration run) => Assert.Throws<UserErrorException>(() => Curriculum.FromConfiguration(run)).Message;
        Assert.Contains(
            "packs of data source 'chat' have 64 tokens, but phase 'train' has sequences of 32",
            Refused(ShardFolder.Run(32, 1, 640, source)),
            StringComparison.Ordinal
        );
        Assert.Contains("set model.document_mask to true", Refused(ShardFolder.Run(64, 1, 640, source)), StringComparison.Ordinal);
        var masked = ShardFolder.Run(64, 1, 640, source);
        masked = masked with { Model = masked.Model with { DocumentMask = true } };
        Assert.Contains("multiple of 64", Refused(masked with { Data = masked.Data with { Window = 96 } }), StringComparison.Ordinal);
        _folder.Count("plain", 0, 640);
        Assert.Contains(
            "has packs and plain text",
            Refused(
                masked with
                {
                    Data = masked.Data with { Sources = [source with { Shards = [_folder.PathOf("p.train"), _folder.PathOf("plain")] }] },
                }
            ),
            StringComparison.Ordinal
        );
    }

    /// <summary>
    /// A mark that changed is another shard; a file that was cut is none; and tokens made anew leave no marks of others beside them.
    /// </summary>
    [Fact]
    public void Marks_belong_to_the_shard()
    {
        Write("m", Samples(40, seed: 3));
        string marks = _folder.PathOf("m.train.marks"),
            before;
        using (var shard = TokenShard.Open(_folder.PathOf("m.train")))
            before = shard.Fingerprint;
        byte[] bytes = File.ReadAllBytes(marks);
        bytes[^1] ^= 1;
        File.WriteAllBytes(marks, bytes);
        using (var shard = TokenShard.Open(_folder.PathOf("m.train")))
        {
            Assert.NotEqual(before, shard.Fingerprint);
            Assert.Contains(
                "is not what",
                Assert.Throws<UserErrorException>(() => shard.CheckRecorded(whole: true)).Message,
                StringComparison.Ordinal
            );
        }
        File.WriteAllBytes(marks, bytes[..^5]);
        Assert.Contains(
            "m.train.marks has",
            Assert.Throws<UserErrorException>(() => TokenShard.Open(_folder.PathOf("m.train"))).Message,
            StringComparison.Ordinal
        );
        _folder.Count("m.train", 0, 100);
        Assert.False(File.Exists(marks));
    }

    [Fact]
    public void Nothing_to_train_on_is_refused_with_the_reasons()
    {
        using var store = new ChatStore(_folder.Root, Options(), vocabulary.Tokenizer);
        store.Add(new TokenizedSample("none", [], "no messages"));
        Assert.Contains("1 with no messages", Assert.Throws<UserErrorException>(store.Complete).Message, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder.Root, "none*"));
    }

    private static ChatOptions Options(double validation = 0) =>
        new()
        {
            Format = "prompt",
            Template = ChatTemplate.Of("internlm2"),
            Context = 64,
            Validation = validation,
        };

    private List<TokenizedChat> Samples(int count, int seed)
    {
        var random = new Random(seed);
        return
        [
            .. Enumerable
                .Range(0, count)
                .Select(i =>
                    vocabulary
                        .Writer()
                        .Encode([
                            new ChatMessage("user", $"{seed} {i}"),
                            ChatMessage.Answer(string.Join(' ', Enumerable.Repeat("yes", random.Next(1, 20)))),
                        ])
                ),
        ];
    }

    private List<string> Write(string domain, List<TokenizedChat> samples)
    {
        Store(domain, samples, validation: 0);
        return [.. samples.Select(vocabulary.Text)];
    }

    private ChatReport Store(string domain, List<TokenizedChat> samples, double validation)
    {
        using var store = new ChatStore(_folder.Root, Options(validation), vocabulary.Tokenizer);
        foreach (var sample in samples)
            store.Add(new TokenizedSample(domain, [sample]));
        store.Complete();
        return store.Reports[domain];
    }
}
