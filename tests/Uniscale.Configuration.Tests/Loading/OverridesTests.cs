namespace Uniscale.Configuration.Tests.Loading;

public sealed class OverridesTests
{
    private const string Base = """
        train: { steps: 10 }
        data: { sources: [{ name: web, shards: [a] }, { name: code, shards: [b] }] }
        """;

    [Fact]
    public void Keys_indices_maps_and_flow_values_are_set()
    {
        var value = ConfigurationLoader
            .Parse(
                Base,
                [
                    "model.layers=12",
                    "data.sources[1].weight=0.5",
                    "data.sources.0.weight=1",
                    "data.sources[2]={name: books, shards: [c, d], weight: 2}",
                    "parallel={tensor: 2, data: 4}",
                    "phases[0].name=first",
                    "phases[0].tokens=2M",
                    "phases[0].mixture.web=3",
                    "run_directory=",
                    "parallel.order=[pp, cp, dp, tp]",
                ]
            )
            .Value;
        Assert.Equal(12, value.Model.Layers);
        Assert.Equal([1, 0.5, 2], value.Data.Sources.Select(source => source.Weight));
        Assert.Equal((2, 4, 1), (value.Parallel.Tensor, value.Parallel.Data, value.Parallel.Pipeline));
        Assert.Equal((2_000_000, 3.0), (value.Phases[0].Tokens, value.Phases[0].Mixture["web"]));
        Assert.Null(value.RunDirectory);
        Assert.Equal("pp cp dp tp", string.Join(' ', value.Parallel.Order));
    }

    [Theory]
    [InlineData("model.layres=4", "--set model.layres=4: model has no key 'layres'; did you mean 'layers'?")]
    [InlineData("model.layers=x", "--set model.layers=x: model.layers expects a whole number, not 'x'.")]
    [InlineData("model.layers", "--set model.layers: write it as key=value, for example --set model.layers=12.")]
    [InlineData(
        "model..layers=1",
        "--set model..layers=1: 'model..layers' is no path of keys such as model.layers or data.sources[0].weight."
    )]
    [InlineData(
        "data.sources[5].weight=1",
        "--set data.sources[5].weight=1: data.sources has 2 entries, so index 5 does not exist; 2 appends one."
    )]
    [InlineData(
        "data.sources.web=1",
        "--set data.sources.web=1: data.sources is a list; name an entry by its index, for example data.sources[0]."
    )]
    [InlineData("train.steps.x=1", "--set train.steps.x=1: train.steps is a single value (from config.yaml:1), so it has no 'x'.")]
    public void A_wrong_override_is_one_sentence(string text, string expected) =>
        Assert.Equal(expected, Assert.Throws<UserErrorException>(() => ConfigurationLoader.Parse(Base, [text])).Message);
}
