using Uniscale.Configuration;
using Uniscale.Launching.Slurm;

namespace Uniscale.Launching.Tests.Slurm;

public sealed class SlurmListsTests
{
    [Theory]
    [InlineData("n1", "n1")]
    [InlineData("n[1-3,7]", "n1 n2 n3 n7")]
    [InlineData("n[08-11],login-0,gpu[1,3]-a", "n08 n09 n10 n11 login-0 gpu1-a gpu3-a")]
    [InlineData("r[1-2]n[1-2]", "r1n1 r1n2 r2n1 r2n2")]
    public void HostsAreThoseOfTheRanges(string text, string hosts) => Assert.Equal(hosts, string.Join(' ', SlurmLists.Hosts(text)));

    [Theory]
    [InlineData("2", "2")]
    [InlineData("2(x3),1", "2 2 2 1")]
    public void NumbersAreRepeated(string text, string numbers) => Assert.Equal(numbers, string.Join(' ', SlurmLists.Numbers(text)));

    [Theory]
    [InlineData("")]
    [InlineData("n[1-")]
    [InlineData("n[3-1]")]
    [InlineData("n[1-2-3]")]
    [InlineData("n[a]")]
    [InlineData("n[1-999999999]")]
    [InlineData("n1 n2")]
    public void WhatIsNoListOfHostsIsRefused(string text) =>
        Assert.Contains(
            "is no list of hosts",
            Assert.Throws<UserErrorException>(() => SlurmLists.Hosts(text)).Message,
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData("")]
    [InlineData("0")]
    [InlineData("2(x")]
    [InlineData("1(x9999999)")]
    public void WhatIsNoListOfNumbersIsRefused(string text) => Assert.Throws<UserErrorException>(() => SlurmLists.Numbers(text));
}
