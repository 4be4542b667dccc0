using System.Text.RegularExpressions;
using Deque.AxeCore.Commons;
using Deque.AxeCore.Playwright;
using Microsoft.Playwright;

namespace Uniscale.Dashboard.Browser;

/// <summary>The dashboard in Debian's chromium, over real runs.</summary>
public sealed partial class DashboardInChromium(TrainedRuns runs) : IClassFixture<TrainedRuns>, IAsyncLifetime
{
    private static readonly string[] OfARun =
    [
        "",
        "/log",
        "/events",
        "/configuration",
        "/checkpoints",
        "/timeline",
        "/layout",
        "/curriculum",
        "/evaluations",
        "/alignment",
    ];

    // A machine that builds meanwhile takes minutes for what takes a second.
    internal const float TimeoutMilliseconds = 120_000;

    private readonly List<string> _complaints = [];
    private IPlaywright _playwright = null!;
    private IBrowser _browser = null!;
    private IPage _page = null!;

    public async ValueTask InitializeAsync()
    {
        _playwright = await Playwright.CreateAsync();
        _browser = await Launch(_playwright);
        _page = await _browser.NewPageAsync(
            new()
            {
                ViewportSize = new() { Width = 1400, Height = 1000 },
            }
        );
        _page.SetDefaultTimeout(TimeoutMilliseconds);
        _page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
                _complaints.Add($"{_page.Url}: {message.Text}");
        };
        _page.PageError += (_, error) => _complaints.Add($"{_page.Url}: {error}");
        _page.Response += (_, response) =>
        {
            if (response.Status >= 400 || !response.Url.StartsWith(runs.Address, StringComparison.Ordinal))
                _complaints.Add($"{response.Status} {response.Url}");
        };
    }

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
    }

    internal static Task<IBrowser> Launch(IPlaywright playwright) =>
        playwright.Chromium.LaunchAsync(
            new() { ExecutablePath = Environment.GetEnvironmentVariable("CHROMIUM") ?? "/usr/bin/chromium", Args = ["--no-sandbox"] }
        );

    private async Task Open(string address)
    {
        await _page.GotoAsync(runs.Address + address);
        await _page.WaitForTimeoutAsync(300);
    }

    private async Task<string> RunNamed(string name)
    {
        await Open("/");
        return (await _page.GetByRole(AriaRole.Link, new() { Name = name, Exact = true }).GetAttributeAsync("href"))!;
    }

    private Task<int> Points(string curve) =>
        _page.EvaluateAsync<int>($"() => document.querySelector('figure[data-curve=\"{curve}\"] .plot').data?.[0]?.x.length ?? 0");

    private async Task Picture(string name)
    {
        if (TrainedRuns.Pictures is { } folder)
        {
            await _page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"dashboard-{name}.png"), FullPage = true });
            await _page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"dashboard-{name}-top.png") });
        }
    }

    [Fact]
    public async Task ALiveCurveGrows()
    {
        await Open(await RunNamed("live"));
        await _page.WaitForFunctionAsync("() => document.querySelector('figure[data-curve=loss] .plot').data?.[0]?.x.length > 3");
        string last = await _page.InnerTextAsync("figure[data-curve=loss] .last");
        await _page.WaitForFunctionAsync("was => document.querySelector('figure[data-curve=loss] .last').innerText !== was", last);
        string before = await _page.InnerTextAsync("#figures");
        await _page.WaitForFunctionAsync("was => document.getElementById('figures').innerText !== was", before);
        await _page.WaitForTimeoutAsync(3_000);
        await Picture("live");
        Assert.Empty(_complaints);
    }

    /// <summary>Pages of runs that have something to show there, by run: each is looked at, and drawn where pictures are wanted.</summary>
    public static TheoryData<string, string[]> Shown =>
        new()
        {
            { "first", OfARun },
            { "nan", ["", "/events"] },
            { "first-slower", ["", "/checkpoints"] },
            { "grpo", ["", "/alignment", "/evaluations"] },
            { "dpo", ["/alignment"] },
            { "sft", ["/curriculum"] },
        };

    [Theory]
    [MemberData(nameof(Shown))]
    public async Task PagesOfARunAreFreeOfErrorsAndOfBarriers(string name, string[] pages)
    {
        string run = await RunNamed(name);
        foreach (string page in pages)
        {
            await Open(run + page);
            await Check(run + page);
            await Picture($"{name}{page.Replace('/', '-')}");
        }
        Assert.Empty(_complaints);
    }

    [Fact]
    public async Task OtherPagesAreFreeOfErrorsAndOfBarriers()
    {
        await Open("/plans");
        string[] reports = await HrefsOf("main td a");
        Assert.True(reports.Length >= 4, string.Join(' ', reports));
        await Open("/sweeps");
        string[] sweeps = await HrefsOf("main td a");
        Assert.NotEmpty(sweeps);
        foreach (string page in (string[])["/", "/compare", "/sweeps", "/plans", .. sweeps, .. reports])
        {
            await Open(page);
            await Check(page);
            await Picture($"page{Odd().Replace(page, "-")}");
        }
        Assert.Empty(_complaints);
    }

    private Task<string[]> HrefsOf(string selector) =>
        _page.EvaluateAsync<string[]>("wanted => [...document.querySelectorAll(wanted)].map(a => a.getAttribute('href'))", selector);

    private async Task Check(string page)
    {
        var found = await _page.RunAxe(
            new AxeRunOptions
            {
                RunOnly = new RunOnlyOptions { Type = "tag", Values = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] },
            }
        );
        Assert.True(
            found.Violations.Length == 0,
            $"{page}: {string.Join("; ", found.Violations.Select(violation => $"{violation.Id} ({violation.Help}): {string.Join(" | ", violation.Nodes.Take(3).Select(node => node.Html))}"))}"
        );
    }

    [Theory]
    [InlineData(ColorScheme.Dark)]
    [InlineData(ColorScheme.Light)]
    public async Task ContrastsHoldInBothSchemes(ColorScheme scheme)
    {
        await _page.EmulateMediaAsync(new() { ColorScheme = scheme });
        string run = await RunNamed("nan");
        foreach (string page in (string[])["/", run, run + "/events", run + "/timeline", run + "/curriculum", run + "/evaluations"])
        {
            await Open(page);
            var found = await _page.RunAxe(
                new AxeRunOptions
                {
                    RunOnly = new RunOnlyOptions { Type = "rule", Values = ["color-contrast"] },
                }
            );
            Assert.True(
                found.Violations.Length == 0,
                $"{page}: {string.Join("; ", found.Violations.SelectMany(violation => violation.Nodes.Take(3).Select(node => node.Html)))}"
            );
        }
    }

    [Fact]
    public async Task RunsAreChosenAndComparedByKeyboardAlone()
    {
        await Open("/");
        await _page.Keyboard.PressAsync("Tab");
        Assert.Equal("To the content", await _page.EvaluateAsync<string>("() => document.activeElement.innerText"));
        await _page.Keyboard.PressAsync("Enter");
        Assert.Equal("content", await _page.EvaluateAsync<string>("() => document.activeElement.id"));
        int chosen = 0;
        for (int i = 0; i < 80 && chosen < 2; i++)
        {
            await _page.Keyboard.PressAsync("Tab");
            string label = await _page.EvaluateAsync<string>("() => document.activeElement.getAttribute('aria-label') ?? ''");
            if (label is not ("compare first" or "compare nan"))
                continue;
            await _page.Keyboard.PressAsync("Space");
            chosen++;
        }
        Assert.Equal(2, chosen);
        // The list is renewed meanwhile, and what was chosen stays.
        await _page.WaitForTimeoutAsync(2_500);
        for (
            int i = 0;
            i < 80 && await _page.EvaluateAsync<string>("() => document.activeElement.innerText") != "Compare the chosen runs";
            i++
        )
            await _page.Keyboard.PressAsync("Tab");
        Assert.Equal("Compare the chosen runs", await _page.EvaluateAsync<string>("() => document.activeElement.innerText"));
        await _page.Keyboard.PressAsync("Enter");
        // A pattern with wildcards was not found to hold here, though the browser was there: the expression is plain.
        await _page.WaitForURLAsync(new Regex("/compare\\?run="));
        await _page.WaitForFunctionAsync("() => document.querySelector('figure[data-curve=loss] .plot').data?.length >= 2");
        Assert.Contains("optimizer.lr", await _page.InnerTextAsync("main"));
        await Picture("compare");
        Assert.Empty(_complaints);
    }

    [Theory]
    [InlineData("nan", "gradient_norm", "NaN at step 30")]
    [InlineData("infinite", "loss", "Infinity at step 40")]
    public async Task WhatIsNotFiniteIsAGapAndAMark(string run, string curve, string mark)
    {
        await Open(await RunNamed(run));
        string plot = $"figure[data-curve={curve}] .plot";
        await _page.Locator($"figure[data-curve={curve}]").ScrollIntoViewIfNeededAsync();
        await _page.WaitForFunctionAsync("plot => document.querySelector(plot).data?.length >= 2", plot);
        Assert.Contains(
            mark,
            await _page.EvaluateAsync<string>(
                "plot => document.querySelector(plot).data.map(t => [].concat(t.text ?? []).join()).join()",
                plot
            )
        );
        Assert.Equal(
            1,
            await _page.EvaluateAsync<int>("plot => document.querySelector(plot).data[0].y.filter(y => y === null).length", plot)
        );
        Assert.Empty(_complaints);
    }

    [Fact]
    public async Task AZoomIsInTheAddressAndFetchesMorePoints()
    {
        string run = await RunNamed("first");
        await Open(run);
        await _page.WaitForFunctionAsync("() => document.querySelector('figure[data-curve=loss] .plot').data?.[0]?.x.length > 50");
        await _page.EvaluateAsync(
            "() => Plotly.relayout(document.querySelector('figure[data-curve=loss] .plot'), { 'xaxis.range[0]': 10, 'xaxis.range[1]': 20 })"
        );
        await _page.WaitForFunctionAsync("() => document.querySelector('figure[data-curve=loss] .plot').data?.[0]?.x.length === 11");
        Assert.EndsWith("from=10&to=20", _page.Url);
        await _page.ReloadAsync();
        await _page.WaitForFunctionAsync("() => document.querySelector('figure[data-curve=loss] .plot').data?.[0]?.x.length === 11");
        Assert.Equal(11, await Points("loss"));
        Assert.Empty(_complaints);
    }

    [Fact]
    public async Task AHostileRunExecutesNothing()
    {
        await Open("/");
        string? run = await _page.EvaluateAsync<string?>(
            "() => [...document.querySelectorAll('a')].find(a => a.innerText.startsWith('<img'))?.getAttribute('href')"
        );
        Assert.NotNull(run);
        foreach (string page in OfARun)
            await Open(run + page);
        await Open(run);
        await _page.WaitForFunctionAsync("() => document.querySelector('figure[data-curve=loss] .plot').data?.length > 0");
        Assert.True(
            await _page.EvaluateAsync<bool>("() => window.harmed === undefined && document.querySelectorAll('main img').length === 0")
        );
        Assert.Empty(_complaints);
    }

    [GeneratedRegex("[^a-z0-9]+")]
    private static partial Regex Odd();
}
