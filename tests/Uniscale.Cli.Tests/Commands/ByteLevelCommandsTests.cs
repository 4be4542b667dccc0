using System.Text.Json.Nodes;
using Uniscale.Configuration;
using Uniscale.Corpus.Tests;
using Uniscale.Data;
using static Uniscale.Cli.Tests.CommandRun;

namespace Uniscale.Cli.Tests.Commands;

/// <summary>A tokenizer.json wherever a tokenizer is named: shards, training, generation, a folder of Hugging Face out and back.</summary>
public sealed class ByteLevelCommandsTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string _tokenizer;
    private readonly int _size;

    public ByteLevelCommandsTests()
    {
        Directory.CreateDirectory(_folder.In("theirs"));
        _tokenizer = TokenizerForms.Write(TokenizerForms.Of("llama3"), _folder.In("theirs"));
        File.WriteAllText(
            _folder.In("theirs/tokenizer_config.json"),
            """{"eos_token": "<|endoftext|>", "pad_token": "<|begin_of_text|>"}"""
        );
        using var tokenizer = Tokenizer.Load(_tokenizer);
        _size = tokenizer.Size;
    }

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_text_goes_through_shards_and_training_into_a_folder_and_back()
    {
        Directory.CreateDirectory(_folder.In("text"));
        for (int i = 0; i < 40; i++)
            File.WriteAllText(
                _folder.In($"text/{i}.txt"),
                $"Text {i}: all human beings are born free, 人人生而自由 <|endoftext|> and equal in rights.\n"
            );
        Ok("data", "tokenize", _folder.In("text"), "--tokenizer", _tokenizer, "--out", _folder.In("tokens"), "--workers", "2");
        Assert.Contains("<|endoftext|> and equal", Ok("data", "show", _folder.In("tokens/text.train"), "--tokenizer", _tokenizer));
        File.WriteAllText(
            _folder.In("c.yaml"),
            $$"""
            run_directory: {{_folder.In("run")}}
            model: { layers: 1, hidden: 16, heads: 2, ffn: 32, context: 16, vocabulary: {{_size}} }
            data:
              tokenizer: {{_tokenizer}}
              sources: [{ name: text, shards: ["{{_folder.In("tokens/text.train")}}"] }]
              validation: [{ name: text, shards: ["{{_folder.In("tokens/text.train")}}"] }]
            batch: { global: 4 }
            train: { steps: 2 }
            evaluation: { every: 2, sequences: 4 }
            checkpoint: { every: 2 }
            logging: { tensor_board: false, peak_flops: 1G }
            """
        );
        var (code, _, error) = Of("train", _folder.In("c.yaml"));
        Assert.True(code == 0, error);
        Assert.Equal(File.ReadAllBytes(_tokenizer), File.ReadAllBytes(_folder.In("run/tokenizer.json")));
        Directory.Delete(_folder.In("theirs"), recursive: true);

        Assert.NotEqual("", Ok("generate", _folder.In("run"), "--prompt", "All human", "--tokens", "4"));
        Ok("export", _folder.In("run"), "--to", _folder.In("model"));
        Assert.Equal(
            ["tokenizer.json", "tokenizer_config.json"],
            Directory.GetFiles(_folder.In("model"), "tokenizer*").Select(Path.GetFileName).Order()
        );
        using (var tokenizer = Tokenizer.Load(_folder.In("model/tokenizer.json")))
            Assert.Equal(tokenizer.EndId, (int)JsonNode.Parse(File.ReadAllText(_folder.In("model/config.json")))!["eos_token_id"]!);
        Assert.NotEqual("", Ok("generate", _folder.In("model"), "--prompt", "All human", "--tokens", "4"));
        Assert.Contains("--no-tokenizer", Refused("export", _folder.In("run"), "--to", _folder.In("x.gguf"), "--format", "gguf"));

        Ok("import", _folder.In("model"), "--to", _folder.In("back"));
        Assert.Equal(_folder.In("back/tokenizer.json"), ConfigurationLoader.Load(_folder.In("back/config.yaml")).Value.Data.Tokenizer);
        Assert.True(File.Exists(_folder.In("back/tokenizer_config.json")));
    }

    [Fact]
    public void Marks_are_text_unless_they_are_asked_for()
    {
        string text = Ok("tokenizer", "encode", _tokenizer, "a<|endoftext|>b").Trim(),
            mark = Ok("tokenizer", "encode", _tokenizer, "a<|endoftext|>b", "--special-tokens").Trim();
        Assert.Equal(3, mark.Split(' ').Length);
        Assert.NotEqual(mark, text);
        Assert.Equal("a<|endoftext|>b", Ok("tokenizer", "decode", _tokenizer, text).Trim());
        Assert.Equal("ab", Ok("tokenizer", "decode", _tokenizer, mark).Trim());
        string inspected = Ok("tokenizer", "inspect", _tokenizer);
        Assert.Contains("<|endoftext|>", inspected, StringComparison.Ordinal);
        Assert.Contains("unknown  none", inspected, StringComparison.Ordinal);
    }

    [Fact]
    public void A_tokenizer_that_cannot_be_followed_is_refused_by_what_it_asks_for()
    {
        var other = TokenizerForms.Of("gpt2");
        other["normalizer"] = new JsonObject { ["type"] = "Nmt" };
        string path = TokenizerForms.Write(other, _folder.In("."));
        Assert.Contains("the normalizer Nmt", Refused("tokenizer", "inspect", path), StringComparison.Ordinal);
    }
}
