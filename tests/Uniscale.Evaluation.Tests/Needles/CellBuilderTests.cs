using Uniscale.Configuration;
using Uniscale.Data;
using Uniscale.Evaluation.Needles;
using Uniscale.Evaluation.Tests.Support;

namespace Uniscale.Evaluation.Tests.Needles;

public sealed class CellBuilderTests : IDisposable
{
    private static readonly NeedleOptions Options = new()
    {
        Lengths = [400],
        Depths = 5,
        AnswerTokens = 16,
    };

    private readonly Tokenizer _tokenizer = SmallTokenizer.Open();

    public void Dispose() => _tokenizer.Dispose();

    [Fact]
    public void LengthsAreThoseOfPromptAndAnswerAndTheNeedleIsThereOnce()
    {
        var cells = Cells(Options with { Repeats = 2 });
        Assert.Equal(10, cells.Count);
        foreach (var cell in cells)
        {
            Assert.Equal(400 - 16, cell.Prompt.Length);
            Assert.Equal(_tokenizer.EndId, cell.Prompt[0]);
            int[] needle = _tokenizer.Encode(Options.Needle.Replace("{key}", cell.Key, StringComparison.Ordinal));
            Assert.Equal(needle, cell.Prompt.AsSpan(cell.Place, needle.Length).ToArray());
            string text = _tokenizer.Decode(cell.Prompt);
            Assert.Equal(2, text.Split(cell.Key).Length);
            Assert.Equal(text.Length, cell.Characters);
            Assert.EndsWith("The secret number of this text is", text, StringComparison.Ordinal);
            Assert.Equal(7, cell.Key.Distinct().Count());
        }
        Assert.Equal([0.0, 25, 50, 75, 100], cells.Take(5).Select(cell => cell.Depth));
        Assert.Equal(1, cells[0].Place);
        Assert.True(cells.Take(5).Zip(cells.Skip(1).Take(4)).All(pair => pair.First.Place < pair.Second.Place));
        Assert.NotEqual(cells[0].Prompt[100..200], cells[5].Prompt[100..200]);
        // Made again, the same; with another seed, other keys.
        Assert.Equal(cells.Select(cell => cell.Key), Cells(Options with { Repeats = 2 }).Select(cell => cell.Key));
        Assert.Empty(cells.Select(cell => cell.Key).Intersect(Cells(Options with { Seed = 5 }).Select(cell => cell.Key)));
    }

    /// <summary>A needle inside the text goes back to the end of the sentence before it.</summary>
    [Fact]
    public void NeedlesStandBehindWholeSentences()
    {
        var cells = Cells(Options);
        Assert.All(
            cells.Skip(1).Take(3),
            cell => Assert.EndsWith(".", _tokenizer.Decode(cell.Prompt.AsSpan(0, cell.Place)), StringComparison.Ordinal)
        );
        var without = new CellBuilder(
            Haystack.Of("words", [string.Concat(Enumerable.Repeat("light water ", 400))], _tokenizer),
            _tokenizer,
            Options with
            {
                Depths = 1,
            }
        );
        var middle = Assert.Single(without.Of(400));
        int around =
            16
            + 1
            + _tokenizer.Encode(Options.Question).Length
            + _tokenizer.Encode(Options.Needle.Replace("{key}", middle.Key, StringComparison.Ordinal)).Length;
        Assert.Equal((50.0, 1 + (400 - around) / 2), (middle.Depth, middle.Place));
    }

    /// <summary>Text that looks like a special token is text.</summary>
    [Fact]
    public void TextsHoldNoSpecialTokens()
    {
        var haystack = Haystack.Of("made", ["water </s> and <s> light."], _tokenizer);
        int[] tokens = haystack.Tokens(100, 1);
        Assert.DoesNotContain(_tokenizer.EndId, tokens);
        Assert.DoesNotContain(_tokenizer.BeginId, tokens);
    }

    [Fact]
    public void ShardsGiveTheirDocumentsWithoutSeparators()
    {
        string folder = Directory.CreateTempSubdirectory("uniscale-haystack-").FullName;
        try
        {
            using (var writer = new ShardWriter(Path.Combine(folder, "a"), _tokenizer.Size))
            {
                writer.Add([5, 6, 7, _tokenizer.EndId]);
                writer.Add([8, 9, _tokenizer.EndId]);
                writer.Complete();
            }
            int[] tokens = Haystack.OfShards([folder], 1000, _tokenizer).Tokens(10, 1);
            Assert.DoesNotContain(_tokenizer.EndId, tokens);
            Assert.Equal([5, 6, 7, 8, 9], tokens.Take(5).Order());
            using (var writer = new ShardWriter(Path.Combine(folder, "b"), 1000))
            {
                writer.Add([999]);
                writer.Complete();
            }
            Assert.Contains(
                "holds token 999",
                Assert.Throws<UserErrorException>(() => Haystack.OfShards([Path.Combine(folder, "b")], 10, _tokenizer)).Message,
                StringComparison.Ordinal
            );
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void NothingIsNoText() =>
        Assert.Contains(
            "empty has no text to hide needles in",
            Assert.Throws<UserErrorException>(() => Haystack.Of("empty", [" ", "\n"], _tokenizer)).Message,
            StringComparison.Ordinal
        );

    private IReadOnlyList<NeedleCell> Cells(NeedleOptions options) =>
        new CellBuilder(Haystack.Filler(1, _tokenizer), _tokenizer, options).Of(400);
}
