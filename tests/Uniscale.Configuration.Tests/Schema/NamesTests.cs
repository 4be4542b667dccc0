using Uniscale.Configuration.Schema;

namespace Uniscale.Configuration.Tests.Schema;

public sealed class NamesTests
{
    [Theory]
    [InlineData("KvHeads", "kv_heads")]
    [InlineData("TensorBoard", "tensor_board")]
    [InlineData("Beta1", "beta1")]
    public void Properties_become_snake_case(string name, string expected) => Assert.Equal(expected, Names.Snake(name));

    [Theory]
    [InlineData("", "abc", 3)]
    [InlineData("layres", "layers", 1)]
    [InlineData("kitten", "sitting", 3)]
    [InlineData("same", "same", 0)]
    public void Distance_counts_swaps_once(string left, string right, int expected) => Assert.Equal(expected, Names.Distance(left, right));

    [Fact]
    public void Far_names_are_not_suggested()
    {
        Assert.Equal("layers", Names.Nearest("layer", ["layers", "heads"]));
        Assert.Null(Names.Nearest("colour", ["layers", "heads"]));
    }
}
