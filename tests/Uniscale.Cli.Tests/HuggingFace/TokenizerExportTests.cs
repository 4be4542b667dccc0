using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Uniscale.Checkpoints.HuggingFace;
using Uniscale.Data;

namespace Uniscale.Cli.Tests.HuggingFace;

/// <summary>tokenizer.json, carried out here by the rules of its format, gives the tokens that SentencePiece gives.</summary>
public sealed class TokenizerExportTests : IDisposable
{
    private const string Alphabet = "ab c\n<>|\u2581é日😀ﬁ\tdefwords 12";

    private readonly TemporaryFolder _folder = new();

    public TokenizerExportTests()
    {
        Directory.CreateDirectory(In("raw"));
        File.WriteAllText(
            In("raw/a.txt"),
            string.Join(
                '\n',
                Enumerable.Range(0, 300).Select(line => $"def words({line}):  return 'été' if a*b < {line % 7} else 日本  # abab cdcd")
            )
        );
        CommandRun.Ok("data", "import", In("raw"), "--domain", "books", "--out", In("store"));
    }

    public void Dispose() => _folder.Dispose();

    private string In(string path) => _folder.In(path);

    [Theory]
    [InlineData("340")]
    [InlineData("340", "--symbol", "<|a|>", "--symbol", "<|a|>b")]
    [InlineData("80", "--no-byte-fallback")]
    public void TheTokensAreTheSame(string vocabulary, params string[] options)
    {
        CommandRun.Ok([
            "tokenizer",
            "train",
            In("store"),
            "--vocabulary",
            vocabulary,
            "--out",
            In("t.model"),
            "--threads",
            "1",
            .. options,
        ]);
        TokenizerExport.Write(In("t.model"), In("."), context: 64);
        using var tokenizer = Tokenizer.Load(In("t.model"));
        var rules = new Rules(JsonNode.Parse(File.ReadAllText(In("tokenizer.json")))!.AsObject());
        var random = new Random(3);
        string[] letters = [.. Alphabet.EnumerateRunes().Select(rune => rune.ToString()), "<|a|>", "<|a|>b", "<s>", "words", "  "];
        for (int round = 0; round < 500; round++)
        {
            string text = string.Concat(Enumerable.Range(0, random.Next(25)).Select(_ => letters[random.Next(letters.Length)]));
            Assert.Equal(tokenizer.Encode(text), rules.Encode(text));
        }
        var configuration = JsonNode.Parse(File.ReadAllText(In("tokenizer_config.json")))!;
        Assert.Equal(
            ("</s>", true, 64),
            ((string?)configuration["eos_token"], (bool)configuration["split_special_tokens"]!, (int)configuration["model_max_length"]!)
        );
    }

    [Fact]
    public void AFileThatIsNoModelIsRefused()
    {
        File.WriteAllText(In("x.model"), "text");
        Assert.Contains(
            "is no SentencePiece model",
            Assert.ThrowsAny<Exception>(() => TokenizerExport.Write(In("x.model"), In("."), 64)).Message,
            StringComparison.Ordinal
        );
    }

    /// <summary>
    /// The part of the format that an exported model uses: normalizers, a splitting pattern, byte-pair merges by rank, bytes for the
    /// unknown.
    /// </summary>
    private sealed class Rules
    {
        private readonly JsonObject _model;
        private readonly JsonArray _normalizers;
        private readonly Regex? _splitter;
        private readonly Dictionary<string, int> _vocabulary;
        private readonly Dictionary<string, int> _ranks = new(StringComparer.Ordinal);

        public Rules(JsonObject rules)
        {
            _model = rules["model"]!.AsObject();
            _normalizers = rules["normalizer"]!["normalizers"]!.AsArray();
            _splitter = rules["pre_tokenizer"] is { } splitter ? new Regex($"({(string)splitter["pattern"]!["Regex"]!})") : null;
            _vocabulary = _model["vocab"]!.AsObject().ToDictionary(pair => pair.Key, pair => (int)pair.Value!, StringComparer.Ordinal);
            foreach (var merge in _model["merges"]!.AsArray())
                _ranks.TryAdd((string)merge!, _ranks.Count);
        }

        public int[] Encode(string text)
        {
            foreach (var step in _normalizers)
                text =
                    (string)step!["type"]! == "Prepend"
                        ? (text.Length > 0 ? (string)step["prepend"]! + text : "")
                        : text.Replace((string)step["pattern"]!["String"]!, (string)step["content"]!, StringComparison.Ordinal);
            string[] words = _splitter is null ? [text] : _splitter.Split(text);
            return [.. words.Where(word => word.Length > 0).SelectMany(Word)];
        }

        private IEnumerable<int> Word(string word)
        {
            if ((bool)_model["ignore_merges"]! && _vocabulary.TryGetValue(word, out int whole))
                return [whole];
            var symbols = word.EnumerateRunes().Select(rune => rune.ToString()).ToList();
            while (true)
            {
                int at = Enumerable
                    .Range(0, symbols.Count - 1)
                    .Where(i => _ranks.ContainsKey($"{symbols[i]} {symbols[i + 1]}"))
                    .OrderBy(i => _ranks[$"{symbols[i]} {symbols[i + 1]}"])
                    .FirstOrDefault(-1);
                if (at < 0)
                    break;
                symbols[at] += symbols[at + 1];
                symbols.RemoveAt(at + 1);
            }
            var ids = new List<int>();
            int unknown = _vocabulary[(string)_model["unk_token"]!];
            bool wasUnknown = false;
            foreach (string symbol in symbols)
            {
                bool isUnknown = !_vocabulary.ContainsKey(symbol);
                if (!isUnknown)
                    ids.Add(_vocabulary[symbol]);
                else if ((bool)_model["byte_fallback"]!)
                    ids.AddRange(Encoding.UTF8.GetBytes(symbol).Select(value => _vocabulary[$"<0x{value:X2}>"]));
                else if (!wasUnknown)
                    ids.Add(unknown);
                wasUnknown = isUnknown;
            }
            return ids;
        }
    }
}
