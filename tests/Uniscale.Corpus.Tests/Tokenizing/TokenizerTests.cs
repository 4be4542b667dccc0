using System.Text;
using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Data.Tests;

namespace Uniscale.Corpus.Tests;

/// <summary>A small vocabulary, trained once for the tests of this folder.</summary>
public sealed class SmallTokenizer : IDisposable
{
    private readonly ShardFolder _corpus = new();

    public SmallTokenizer()
    {
        string text = _corpus.PathOf("text.txt");
        File.WriteAllText(text, Text(400, seed: 1));
        TokenizerTrainer.Train(
            DocumentReader.Read(text),
            Path,
            new TokenizerTraining
            {
                VocabularySize = 400,
                Threads = 1,
                Symbols = ["<user>"],
            }
        );
        Tokenizer = Tokenizer.Load(Path);
    }

    public string Path => _corpus.PathOf("small.model");

    public Tokenizer Tokenizer { get; }

    public void Dispose()
    {
        Tokenizer.Dispose();
        _corpus.Dispose();
    }

    /// <summary>Lines of words, indented code, numbers and Chinese.</summary>
    internal static string Text(int lines, int seed)
    {
        string[] words =
        [
            "the",
            "training",
            "of",
            "language",
            "models",
            "return",
            "value",
            "模型",
            "训练",
            "语言",
            "x1",
            "==",
            "(self)",
            "2023",
            "données",
            "while",
        ];
        var random = new Random(seed);
        var text = new StringBuilder();
        for (int line = 0; line < lines; line++)
        {
            text.Append(' ', random.Next(4) * 4);
            for (int word = random.Next(12); word >= 0; word--)
                text.Append(words[random.Next(words.Length)]).Append(' ', random.Next(8) == 0 ? 2 : 1);
            text.Append('\n', random.Next(6) == 0 ? 2 : 1);
        }
        return text.ToString();
    }
}

public sealed class TokenizerTests(SmallTokenizer small) : IClassFixture<SmallTokenizer>
{
    private readonly Tokenizer _tokenizer = small.Tokenizer;

    [Theory]
    [InlineData("Hello, world")]
    [InlineData("  two spaces in front, trailing  ")]
    [InlineData("line\n\n\tindented\r\nlast\n")]
    [InlineData("语言模型 🙂 é ﬁ ｆｕｌｌ")]
    [InlineData("a <user> b")]
    public void Any_text_comes_back_as_it_was(string text)
    {
        Assert.Equal(text, _tokenizer.Decode(_tokenizer.Encode(text)));
        int[] bytes = _tokenizer.ByteLengths();
        Assert.Equal(Encoding.UTF8.GetByteCount(text) + 1, _tokenizer.Encode(text).Sum(token => bytes[token])); // the space in front is one
    }

    [Fact]
    public void Digits_are_single_and_symbols_whole()
    {
        Assert.Equal(["\u2581", "2", "0", "2", "3"], _tokenizer.Encode("2023").Select(token => _tokenizer.PieceOf(token).Text));
        Assert.Contains(_tokenizer.IdOf("<user>"), _tokenizer.Encode("a<user>b"));
        Assert.Equal((400, 0, 1, 2), (_tokenizer.Size, _tokenizer.UnknownId, _tokenizer.BeginId, _tokenizer.EndId));
    }

    [Fact]
    public void Cutting_long_text_changes_no_token()
    {
        string text = SmallTokenizer.Text(3000, seed: 2);
        Assert.True(text.Length > 20 * 1000);
        int[] whole = OneCall(text);
        Assert.Equal(whole, _tokenizer.Encode(text));
    }

    [Fact]
    public void A_line_without_end_is_cut_before_a_space()
    {
        string text = string.Join(' ', Enumerable.Repeat("language models", 20_000));
        Assert.Equal(OneCall(text), _tokenizer.Encode(text));
    }

    [Fact]
    public void Text_without_spaces_or_line_ends_comes_back_as_it_was()
    {
        string text = string.Concat(Enumerable.Repeat("训练语言", 50_000));
        Assert.Equal(text, _tokenizer.Decode(_tokenizer.Encode(text)));
    }

    [Fact]
    public void Too_little_text_for_a_vocabulary_is_refused()
    {
        string text = small.Path + ".short.txt";
        File.WriteAllText(text, SmallTokenizer.Text(20, seed: 4));
        var error = Assert.Throws<UserErrorException>(() =>
            TokenizerTrainer.Train(
                DocumentReader.Read(text),
                small.Path + ".short",
                new TokenizerTraining { VocabularySize = 5000, Threads = 1 }
            )
        );
        Assert.Matches("vocabulary of 5000; it gives [34]..:", error.Message);
        File.WriteAllText(text, "\n\n");
        Assert.Throws<UserErrorException>(() =>
            TokenizerTrainer.Train(DocumentReader.Read(text), small.Path + ".short", new TokenizerTraining())
        );
        Assert.Empty(Directory.GetDirectories(System.IO.Path.GetDirectoryName(small.Path)!));
    }

    [Theory]
    [InlineData(0, 0.9995, 1000, "A vocabulary of 0 tokens")]
    [InlineData(100, 0.9995, 1000, "A vocabulary of 100 has no room for the 2")]
    [InlineData(400, 3, 1000, "The character coverage is 3: give --character-coverage a share from 0.98 to 1")]
    [InlineData(400, 0.9995, 0, "A sample of 0 bytes")]
    public void Impossible_settings_are_refused_in_one_sentence(int vocabulary, double coverage, long sample, string sentence)
    {
        string text = small.Path + ".settings.txt";
        File.WriteAllText(text, SmallTokenizer.Text(20, seed: 4));
        var training = new TokenizerTraining
        {
            VocabularySize = vocabulary,
            CharacterCoverage = coverage,
            SampleBytes = sample,
            Threads = 1,
        };
        Assert.StartsWith(
            sentence,
            Assert
                .Throws<UserErrorException>(() => TokenizerTrainer.Train(DocumentReader.Read(text), small.Path + ".settings", training))
                .Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_sample_nearly_fills_its_bound_and_is_drawn_evenly()
    {
        byte[] text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 20_000).Select(i => $"line {i:D6}\n")));
        var sample = LineSample.Draw([new DocumentPart(text, true, true)], maxBytes: 30_000);
        Assert.InRange(sample.Bytes, 27_000, 30_000);
        string path = small.Path + ".sample";
        sample.WriteTo(path);
        int[] lines = [.. File.ReadAllLines(path).Select(line => int.Parse(line[5..], System.Globalization.CultureInfo.InvariantCulture))];
        Assert.InRange(lines.Count(line => line < 10_000) / (double)lines.Length, 0.45, 0.55);
    }

    [Fact]
    public void What_is_no_model_is_refused()
    {
        string path = small.Path + ".txt";
        File.WriteAllText(path, "not a model");
        Assert.Contains(
            "is no SentencePiece model",
            Assert.Throws<UserErrorException>(() => Tokenizer.Load(path)).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "does not exist",
            Assert.Throws<UserErrorException>(() => Tokenizer.Load(path + "x")).Message,
            StringComparison.Ordinal
        );
        Assert.Contains(
            "outside the vocabulary",
            Assert.Throws<UserErrorException>(() => _tokenizer.Decode([400])).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Commas_belong_to_names_and_symbols()
    {
        string folder = System.IO.Path.Combine(System.IO.Path.GetDirectoryName(small.Path)!, "with, comma"),
            text = small.Path + ".comma.txt";
        File.WriteAllText(text, SmallTokenizer.Text(100, seed: 5));
        string model = System.IO.Path.Combine(folder, "a,b.model");
        TokenizerTrainer.Train(
            DocumentReader.Read(text),
            model,
            new TokenizerTraining
            {
                VocabularySize = 400,
                Threads = 1,
                Symbols = ["<a,b>", "\"quoted\","],
            }
        );
        using var tokenizer = Tokenizer.Load(model);
        Assert.Equal(
            ["<a,b>", "\"quoted\","],
            tokenizer.Encode("x<a,b>\"quoted\",").Select(token => tokenizer.PieceOf(token).Text).Where(piece => piece.Length > 2)
        );
        Directory.Delete(folder, recursive: true);
        var spaced = new TokenizerTraining
        {
            VocabularySize = 400,
            Threads = 1,
            Symbols = ["a b"],
        };
        Assert.Contains(
            "--symbol 'a b'",
            Assert.Throws<UserErrorException>(() => TokenizerTrainer.Train(DocumentReader.Read(text), model, spaced)).Message,
            StringComparison.Ordinal
        );
        var twice = spaced with { Symbols = ["<a>", "<b>", "<a>"] };
        Assert.Contains(
            "--symbol '<a>' is given twice",
            Assert.Throws<UserErrorException>(() => TokenizerTrainer.Train(DocumentReader.Read(text), model, twice)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void Without_bytes_line_ends_are_pieces()
    {
        string text = small.Path + ".lines.txt",
            model = small.Path + ".lines";
        File.WriteAllText(text, SmallTokenizer.Text(200, seed: 6));
        TokenizerTrainer.Train(
            DocumentReader.Read(text),
            model,
            new TokenizerTraining
            {
                VocabularySize = 120,
                Threads = 1,
                ByteFallback = false,
            }
        );
        using var tokenizer = Tokenizer.Load(model);
        int[] tokens = tokenizer.Encode("the\n  models\r\n");
        Assert.DoesNotContain(tokenizer.UnknownId, tokens);
        Assert.Equal("the\n  models\r\n", tokenizer.Decode(tokens));
    }

    /// <summary>The library's own tokens for the whole text.</summary>
    private int[] OneCall(string text) => WholeText.Encode(small.Path, text);
}

/// <summary>SentencePiece called once for a whole text.</summary>
internal static class WholeText
{
    public static int[] Encode(string path, string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text),
            file = File.ReadAllBytes(path);
        using var model = SentencePieceLibrary.Load(file, file.Length, new byte[256], 256);
        int[] tokens = new int[utf8.Length + 16];
        long count = SentencePieceLibrary.Encode(model, utf8, utf8.Length, tokens, tokens.Length, new byte[256], 256);
        return tokens[..(int)count];
    }
}
