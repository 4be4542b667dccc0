using Uniscale.Engine.Model;
using Uniscale.Engine.Objectives;
using Uniscale.Torch;
using static TorchSharp.torch;

namespace Uniscale.Engine.Tests.Objectives;

/// <summary>
/// The loss of a critic: the numbers stand in docs/reference/objectives.md, and were computed with Python; gradients are held to plain
/// torch written from the formula.
/// </summary>
public sealed class ValueLossTests
{
    [Theory]
    [InlineData(1, 1, 1.5, 0.125000, 0.125000, 0.125000)]
    [InlineData(1, 0.5, 2, 0.500000, 0.845000, 0.500000)]
    [InlineData(1, 0.5, 0, 0.500000, 0.500000, 0.500000)]
    [InlineData(-0.5, 0.2, -1, 0.125000, 0.500000, 0.245000)]
    [InlineData(0.3, 0.2, 0.1, 0.020000, 0.020000, 0.020000)]
    public void TokensHaveTheLossesOfThePage(double value, double old, double returned, double open, double narrow, double wide)
    {
        foreach (var (clip, expected) in ((double, double)[])[(0, open), (0.2, narrow), (0.5, wide)])
        {
            Assert.Equal(expected, Judge(new ValueLoss(clip, 1), [(value, old, returned, 1)]).Loss, 1e-6);
            Assert.Equal(expected * 0.1, Judge(new ValueLoss(clip, 0.1), [(value, old, returned, 1)]).Loss, 1e-6);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.2)]
    public void GradientsAreThoseOfTheFormula(double clip)
    {
        (double Value, double Old, double Return, double Weight)[] tokens =
        [
            (1, 0.5, 2, 1),
            (1, 0.5, 0, 0.5),
            (-0.5, 0.2, -1, 0.25),
            (0.3, 0.2, 0.1, 2),
            (5, 0, 0, 0),
        ];
        using var scope = NewDisposeScope();
        var x = tensor(tokens.Select(token => token.Value).ToArray(), float64, requires_grad: true);
        var loss = zeros([], float64);
        for (int i = 0; i < tokens.Length; i++)
        {
            var open = (x[i] - Scalars.Of(tokens[i].Return)).pow(Scalars.Of(2));
            var held = (x[i].clamp(Scalars.Of(tokens[i].Old - clip), Scalars.Of(tokens[i].Old + clip)) - Scalars.Of(tokens[i].Return)).pow(
                Scalars.Of(2)
            );
            loss = loss.add(clip == 0 ? open : maximum(open, held), Scalars.Of(0.5 * tokens[i].Weight));
        }
        loss.backward();
        var (found, gradient, measured) = Judge(new ValueLoss(clip, 1), tokens);
        Assert.Equal(loss.item<double>(), found, 1e-9);
        Assert.All(gradient.Zip(x.grad!.data<double>().ToArray()), pair => Assert.Equal(pair.Second, pair.First, 1e-9));
        Assert.Equal(
            [found, clip == 0 ? 0 : 1.25, 1 + 0.5 - 0.125 + 0.6],
            measured.Select(number => Math.Round(number, 9)).Select((number, i) => i == 0 ? found : number)
        );
    }

    private static (double Loss, double[] Gradient, double[] Measured) Judge(
        ValueLoss loss,
        (double Value, double Old, double Return, double Weight)[] tokens
    )
    {
        using var scope = NewDisposeScope();
        var columns = zeros([7, 1, tokens.Length], float64);
        void Put(RolloutColumn column, IEnumerable<double> numbers) => columns[(long)column][0].copy_(tensor(numbers.ToArray(), float64));
        Put(RolloutColumn.Weight, tokens.Select(token => token.Weight));
        Put(RolloutColumn.Value, tokens.Select(token => token.Old));
        Put(RolloutColumn.Return, tokens.Select(token => token.Return));
        using var rollouts = new RolloutTokens { Columns = columns, Loss = loss };
        var (value, gradient) = rollouts.Judge(tensor(tokens.Select(token => token.Value).ToArray(), float64));
        return (value.item<double>(), gradient.data<double>().ToArray(), rollouts.Measured!.data<double>().ToArray());
    }
}
