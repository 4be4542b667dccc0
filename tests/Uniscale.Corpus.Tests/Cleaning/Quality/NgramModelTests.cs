using Uniscale.Corpus.Cleaning;

namespace Uniscale.Corpus.Tests.Cleaning;

public sealed class NgramModelTests
{
    [Theory]
    [InlineData("")]
    [InlineData("t")]
    [InlineData("abra")]
    [InlineData("zzz")]
    public void The_probabilities_of_all_next_characters_sum_to_one(string context)
    {
        var model = new NgramModel(4);
        model.Train("abracadabra, the cat sat on that mat");
        model.Train("another text");
        double before = model.BitsPerCharacter(context) * context.Length,
            sum = 0;
        for (int c = 0; c < 65536; c++)
            sum += Math.Pow(2, before - (model.BitsPerCharacter(context + (char)c) * (context.Length + 1)));
        Assert.Equal(1, sum, 1e-6);
    }

    [Fact]
    public void What_was_learnt_is_cheaper_and_the_unknown_costs_sixteen_bits()
    {
        var model = new NgramModel(5);
        Assert.Equal(16, model.BitsPerCharacter("anything"), 1e-12);
        for (int seed = 0; seed < 50; seed++)
            model.Train(CleaningFolder.Prose(seed, 200));
        double same = model.BitsPerCharacter(CleaningFolder.Prose(100, 200)),
            shuffled = model.BitsPerCharacter(new string([.. CleaningFolder.Prose(100, 200).Order()]));
        Assert.InRange(same, 1, 3.3);
        Assert.True(shuffled > same + 0.5, $"{shuffled} against {same}");
    }
}
