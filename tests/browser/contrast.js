/* Texts whose contrast with their ground is below WCAG 2.1 AA (success criterion 1.4.3): 4.5 : 1, large text 3 : 1; an
icon of the icon font and a sign without a letter or digit, which are pictures, 3 : 1 (1.4.11). Inactive components are exempt, and so is what nobody sees.

The ground of HTML is what its ancestors paint, of SVG also the rectangles drawn before the text around its middle.
Tables are drawn on a canvas and are not measured here, nor is text over a picture. Returns sentences. */
() => {
  const brush = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const known = new Map();
  const rgba = (css) => {
    if (!known.has(css)) {
      brush.clearRect(0, 0, 1, 1);
      brush.fillStyle = '#000';
      brush.fillStyle = css;
      brush.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
      known.set(css, [r, g, b, a / 255]);
    }
    return known.get(css);
  };
  const over = (top, ground) => [0, 1, 2].map((i) => top[i] * top[3] + ground[i] * (1 - top[3]));
  const luminance = (colour) => {
    const [r, g, b] = colour.map((value) => value / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, two) => {
    const [low, high] = [luminance(one), luminance(two)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const parent = (element) => element.parentElement ?? element.getRootNode().host ?? null;
  const ancestors = (element) => {
    const found = [];
    for (let at = element; at; at = parent(at)) found.unshift(at);
    return found;
  };
  const inside = (box, x, y) => box.left <= x && x <= box.right && box.top <= y && y <= box.bottom;
  const groundOf = (element, x, y) => {
    let ground = [255, 255, 255];
    for (const at of ancestors(element)) {  // a text may lie outside of what holds it: the number above a slider's knob
      const painted = at.clientWidth === 0 || at === document.body || inside(at.getBoundingClientRect(), x, y);
      if (painted) ground = over(rgba(getComputedStyle(at).backgroundColor), ground);
    }
    const picture = element instanceof SVGElement ? ancestors(element).find((at) => at.tagName === 'svg') : null;
    for (const rect of picture?.querySelectorAll('rect') ?? []) {
      const before = rect.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING;
      if (before && !rect.closest('defs, clipPath') && inside(rect.getBoundingClientRect(), x, y)) {
        const style = getComputedStyle(rect);
        if (style.fill === 'none' || style.fill.startsWith('url')) continue;
        const [r, g, b, a] = rgba(style.fill);
        ground = over([r, g, b, a * style.fillOpacity * style.opacity], ground);
      }
    }
    return ground;
  };
  const faint = new Map(), ratios = new Map();
  const look = (root) => {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (node.shadowRoot) look(node.shadowRoot);
      const text = node.nodeType === Node.TEXT_NODE ? node.textContent.trim() : '';
      const element = node.parentElement;
      if (!text || !element || element.closest('style, script, title, noscript, template, [disabled], [aria-disabled="true"]')) continue;
      if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      const box = range.getBoundingClientRect();
      if (box.width < 2 || box.height < 2) continue;
      const style = getComputedStyle(element), svg = element instanceof SVGElement;
      const [r, g, b, alpha] = rgba(svg ? style.fill : style.color);
      let opacity = alpha * (svg ? style.fillOpacity : 1);
      for (const at of ancestors(element)) opacity *= getComputedStyle(at).opacity;
      const ground = groundOf(element, box.left + box.width / 2, box.top + box.height / 2);
      const size = parseFloat(style.fontSize), heavy = Number(style.fontWeight) >= 700;
      const icon = style.fontFamily.includes('Material Symbols') || !/[\p{L}\p{N}]/u.test(text);
      const needed = icon || size >= 24 || (heavy && size >= 18.66) ? 3 : 4.5;
      const got = contrast(over([r, g, b, opacity], ground), ground);
      if (got < needed) {
        const shades = `${over([r, g, b, opacity], ground).map(Math.round)} on ${ground.map(Math.round)}`;
        const key = `${shades} ${needed}`;
        faint.set(key, [...(faint.get(key) ?? []), `"${text.slice(0, 30)}"`]);
        ratios.set(key, `${got.toFixed(2)} : 1 (${shades}), ${needed} : 1 needed`);
      }
    }
  };
  look(document.body);
  return [...faint].map(([key, texts]) => `${ratios.get(key)}: ${texts.length} texts, ${texts.slice(0, 4).join(', ')}`);
}
