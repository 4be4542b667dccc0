namespace Uniscale.Configuration.Tests;

public sealed class RunConfigurationTests
{
    private static readonly RunConfiguration Phased = new()
    {
        Model = new() { Context = 64, RopeBase = 100 },
        Phases =
        [
            new() { Name = "short", Tokens = 1000 },
            new()
            {
                Name = "long",
                Tokens = 500,
                Context = 256,
                RopeBase = 9000,
            },
        ],
    };

    [Theory]
    [InlineData(0, 64, 100)]
    [InlineData(1000, 64, 100)]
    [InlineData(1001, 256, 9000)]
    [InlineData(9999, 256, 9000)]
    public void The_model_is_that_of_the_phase_of_the_last_token(long tokens, int context, double ropeBase)
    {
        var model = Phased.ModelAt(tokens);
        Assert.Equal((context, ropeBase), (model.Context, model.RopeBase));
    }

    [Fact]
    public void Without_phases_and_with_a_learned_table_the_shape_stays()
    {
        Assert.Equal(Phased.Model, (Phased with { Phases = [] }).ModelAt(5000));
        var learned = Phased with { Model = Phased.Model with { Positions = PositionKind.Learned } };
        Assert.Equal(64, learned.ModelAt(5000).Context);
        Assert.Equal(100, learned.RopeBaseOf(7));
    }
}
