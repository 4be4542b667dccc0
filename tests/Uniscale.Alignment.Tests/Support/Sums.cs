using Uniscale.Configuration;
using Uniscale.Corpus;
using Uniscale.Corpus.Chat;

namespace Uniscale.Alignment.Tests.Support;

/// <summary>A folder with a vocabulary and prompts that everybody can check, and a small run on them; made once.</summary>
public sealed class Sums : IDisposable
{
    public const int Context = 64;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("uniscale-sums-");

    public Sums()
    {
        string text = In("text.txt"),
            raw = In("sums.jsonl");
        File.WriteAllText(text, string.Join('\n', Enumerable.Range(0, 200).Select(i => $"user assistant {i} + {i * 3} = ? {i * 4}")));
        TokenizerTrainer.Train(
            DocumentReader.Read(text),
            In("sums.model"),
            new TokenizerTraining
            {
                VocabularySize = 300,
                Threads = 1,
                Symbols = ChatTemplate.Of("internlm2").SpecialTokens,
            }
        );
        File.WriteAllLines(
            raw,
            Enumerable.Range(0, 40).Select(i => $$"""{"prompt": "{{i % 8}} + {{i / 8}} = ?", "completion": "{{(i % 8) + (i / 8)}}"}""")
        );
        var options = new ChatOptions
        {
            Format = "prompt",
            Template = ChatTemplate.Of("internlm2"),
            Context = Context,
            Domain = "sums",
        };
        using var tokenizer = Data.Tokenizer.Load(In("sums.model"));
        using var store = new ChatStore(In("store"), options, tokenizer);
        foreach (var sample in new ChatReader(options, new ChatTokenizer(options.Template, tokenizer)).Read([raw]))
            store.Add(sample);
        store.Complete();
        using var shard = new Data.ShardWriter(In("text"), tokenizer.Size);
        foreach (string line in File.ReadLines(text))
            shard.Add(tokenizer.Encode(line));
        shard.Complete();
    }

    /// <summary>A run of two minibatches and two passes.</summary>
    public RunConfiguration Run(string more = "") =>
        ConfigurationLoader
            .Parse(
                $$"""
                objective: grpo
                model: { layers: 2, hidden: 32, heads: 4, kv_heads: 2, ffn: 64, context: {{Context}}, init_std: 0.1 }
                data: { tokenizer: {{In("sums.model")}}, sources: [{ name: sums, shards: ["{{In("store/sums.train")}}"] }] }
                batch: { global: 8, micro: 1 }
                optimizer: { lr: 3e-3 }
                schedule: { warmup_ratio: 0 }
                rollout: { prompts: 4, max_tokens: 6, minibatches: 2, epochs: 2, batch: 5 }
                grpo: { group: 4 }
                rewards: [{ kind: number }, { kind: format, pattern: "[0-9 ]+", weight: 0.5 }]
                train: { steps: 8, threads: 1 }
                """,
                more.Length == 0 ? [] : more.Split(';')
            )
            .Value;

    public string In(string path) => Path.Combine(_folder.FullName, path);

    public void Dispose() => _folder.Delete(recursive: true);
}
